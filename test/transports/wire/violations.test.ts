import assert from "node:assert/strict";
import { BINARY, CLOSE, CONTINUATION, PING, TEXT } from "../../../lib/transports/frames/frame.js";
import type { ClientFrame } from "../frames/client-frames.js";
import { closeHex, closing, data, Wire } from "./peer.js";

describe("transports/wire/violations", () => {
	let wire: Wire;
	beforeEach(() => {
		wire = new Wire();
	});
	afterEach(() => wire.close());

	const malformed: Record<string, readonly ClientFrame[]> = {
		"with RSV1 set": [{ ...data(TEXT, "x"), reserved: 0x40 }],
		"with RSV2 set": [{ ...data(TEXT, "x"), reserved: 0x20 }],
		"with RSV3 set": [{ ...data(TEXT, "x"), reserved: 0x10 }],
		"with all reserved bits set, of a ping": [{ ...data(PING, "x"), reserved: 0x70 }],
		"with RSV1 set, of a Close": [{ ...closing(1000), reserved: 0x40 }],
		"that is not masked": [{ ...data(TEXT, "x"), key: undefined }],
		"that is an unmasked ping": [{ ...data(PING, ""), key: undefined }],
		"with half a status code": [data(CLOSE, "x")],
		"that is a ping of 126 bytes": [data(PING, Buffer.alloc(126))],
		"that is a Close of 126 bytes": [closing(1000, Buffer.alloc(124))],
		"that is a fragmented ping": [data(PING, "x", false), data(CONTINUATION, "y")],
		"that is a fragmented Close": [data(CLOSE, "", false)],
		"that continues nothing": [data(CONTINUATION, "x")],
		"that continues nothing, and is not the last": [data(CONTINUATION, "x", false)],
		"that continues what was ended": [data(TEXT, "", false), data(CONTINUATION, ""), data(CONTINUATION, "x")],
		"that begins a message within another": [data(TEXT, "", false), data(TEXT, "x")],
		"that begins a message within one of bytes": [data(BINARY, "", false), data(TEXT, "x", false)],
		"whose 64-bit length is negative": [{ ...data(BINARY, ""), length: 2n ** 63n, lengthBytes: 8 }],
	};
	for (const opcode of [3, 4, 5, 6, 7, 11, 12, 13, 14, 15]) {
		malformed[`with the reserved opcode ${opcode}`] = [data(opcode, "x")];
	}
	for (const code of [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535]) {
		malformed[`that closes with ${code}`] = [closing(code)];
	}
	for (const [what, frames] of Object.entries(malformed)) {
		it(`a frame ${what} ends it with 1002, and nothing behind it is heard`, async () => {
			const peer = await wire.connect();
			peer.say(data(TEXT, "fine"), ...frames, data(TEXT, "late"), data(PING, "late"));
			assert.equal(await peer.hearAll(), closeHex(1002));
			peer.socket.end();
			const error = await peer.owner.closedWith;
			assert.equal((error as { code?: string } | undefined)?.code, "ERR_TRANSPORT");
			assert.equal(peer.owner.bytes.toString(), "fine");
		});
	}
});
