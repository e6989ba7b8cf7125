import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import fc from "fast-check";
import { maskedFrame } from "../../../bench/load/frames.js";
import { FrameTurner, startRawEcho } from "../../../bench/subject/raw-echo.js";

/** A server's frame: not masked. */
function serverFrame(payload: Buffer): Buffer {
	const { length } = payload;
	const header = length < 126 ? [0x81, length] : [0x81, 126, length >> 8, length & 0xff];
	return Buffer.concat([Buffer.from(header), payload]);
}

describe("bench/subject/raw-echo", () => {
	it("answers each frame with its payload, not masked, whichever way reads split them", () => {
		const payloads = fc.array(fc.uint8Array({ maxLength: 400 }), { minLength: 1, maxLength: 6 });
		fc.assert(
			fc.property(payloads, fc.integer({ min: 1, max: 500 }), (bodies, step) => {
				const sent = Buffer.concat(bodies.map((body) => maskedFrame(Buffer.from(body), false)));
				const turner = new FrameTurner();
				const answers: Buffer[] = [];
				for (let at = 0; at < sent.length; at += step)
					answers.push(turner.turn(sent.subarray(at, at + step)));
				const expected = Buffer.concat(bodies.map((body) => serverFrame(Buffer.from(body))));
				assert.deepEqual(Buffer.concat(answers), expected);
				assert.equal(turner.isClosed, false);
			}),
		);
	});

	it("answers a ping with a pong, and a Close frame with one", () => {
		const turner = new FrameTurner();
		const frame = (opcode: number): Buffer => {
			const masked = maskedFrame(Buffer.from("hi"), false);
			masked[0] = 0x80 | opcode;
			return masked;
		};
		assert.deepEqual(turner.turn(frame(9)), Buffer.concat([Buffer.from([0x8a, 2]), Buffer.from("hi")]));
		assert.deepEqual(turner.turn(frame(8)), Buffer.concat([Buffer.from([0x88, 2]), Buffer.from("hi")]));
		assert.equal(turner.isClosed, true);
	});

	it("refuses a frame that no load sends", () => {
		const turner = new FrameTurner();
		assert.throws(() => turner.turn(Buffer.from([0x81, 0xff, 0, 0])), /65,535 bytes at most/);
	});

	it("ends its half of a connection when the other one is ended, or relays would keep theirs", async () => {
		const echo = await startRawEcho("127.0.0.1", 16);
		try {
			const head = "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n";
			const socket = connect(echo.port, "127.0.0.1");
			socket.write(`${head}Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`);
			const [answer] = (await once(socket, "data")) as [Buffer];
			assert.match(answer.toString(), /Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=/);
			socket.end();
			await once(socket, "close");
		} finally {
			echo.close();
		}
	});
});
