import assert from "node:assert/strict";
import { decodeRecord, invocationOf, PreparedMessage } from "../../../lib/hub/index.js";
import {
	type HubMessage,
	jsonProtocol,
	MessageType,
	messagePackProtocol,
} from "../../../lib/protocols/index.js";

describe("hub/clients/prepared-message", () => {
	it("is written once per protocol, however many clients get it", () => {
		let reads = 0;
		const argument = {
			get field() {
				reads++;
				return 1;
			},
		};
		const message = new PreparedMessage(invocationOf("t", [argument]));
		const json = message.bytesFor(jsonProtocol);
		const afterFirst = reads;
		assert.equal(message.bytesFor(jsonProtocol), json);
		assert.equal(reads, afterFirst);
		assert.notDeepEqual(message.bytesFor(messagePackProtocol), json);
		assert.deepEqual(message.delivery, { kind: "event" });
	});

	it("is not tried again where it cannot be written, however many clients are to get it", () => {
		let reads = 0;
		const argument = {
			get field(): never {
				reads++;
				throw new Error("no");
			},
		};
		const message = new PreparedMessage(invocationOf("t", [argument]));
		for (let client = 0; client < 3; client++)
			assert.throws(() => message.bytesFor(jsonProtocol), { code: "ERR_SERIALIZATION" });
		assert.equal(reads, 1);
	});

	it("throws where an argument cannot be written", () => {
		const cyclic: unknown[] = [];
		cyclic.push(cyclic);
		const message = new PreparedMessage(invocationOf("t", cyclic));
		for (const protocol of [jsonProtocol, messagePackProtocol]) {
			assert.throws(() => message.bytesFor(protocol), { code: "ERR_SERIALIZATION" });
		}
	});

	it("that was written elsewhere goes out as it is, and is read only where it must be", () => {
		const bytes = jsonProtocol.write(invocationOf("t", [1]));
		let reads = 0;
		const message = PreparedMessage.written({
			...{ type: MessageType.Invocation, invocationId: "7", protocolName: "json", bytes },
			decode() {
				reads++;
				return invocationOf("t", [1]);
			},
		});
		assert.deepEqual([message.type, message.invocationId], [MessageType.Invocation, "7"]);
		assert.equal(message.bytesFor(jsonProtocol), bytes);
		assert.equal(reads, 0);
		const packed = message.bytesFor(messagePackProtocol);
		assert.deepEqual(packed, messagePackProtocol.write(invocationOf("t", [1])));
		assert.equal(message.bytesFor(messagePackProtocol), packed);
		assert.equal(message.message, message.message);
		assert.equal(reads, 1);
	});

	it("that was written by several protocols goes out as each of them wrote it", () => {
		const json = Buffer.from("a");
		const messagepack = Buffer.from("b");
		const decode = (): never => assert.fail("nobody has to read it");
		const encodings = [
			{ protocolName: "json", bytes: json },
			{ protocolName: "messagepack", bytes: messagepack },
		];
		const delivery = { kind: "state", key: "k" } as const;
		const type = MessageType.Invocation;
		const message = PreparedMessage.encodings({ type, invocationId: undefined, encodings, decode }, delivery);
		assert.equal(message.bytesFor(messagePackProtocol), messagepack);
		assert.equal(message.bytesFor(jsonProtocol), json);
		assert.deepEqual([message.type, message.delivery], [MessageType.Invocation, delivery]);
	});

	it("that was written by none is written from what it decodes to", () => {
		const type = MessageType.Invocation;
		const decode = (): HubMessage => invocationOf("t", []);
		const message = PreparedMessage.encodings({ type, invocationId: undefined, encodings: [], decode });
		assert.deepEqual(message.bytesFor(jsonProtocol), jsonProtocol.write(invocationOf("t", [])));
	});

	it("throws what reading it throws, and does not try again", () => {
		let reads = 0;
		const message = PreparedMessage.written({
			...{ type: MessageType.Invocation, invocationId: undefined },
			...{ protocolName: "json", bytes: Buffer.from("x") },
			decode(): never {
				reads++;
				throw new Error("broken");
			},
		});
		for (let client = 0; client < 3; client++)
			assert.throws(() => message.bytesFor(messagePackProtocol), { message: "broken" });
		assert.equal(reads, 1);
	});

	it("is kept as it is where it was written here, and as a copy of its bytes where it was not", () => {
		const here = new PreparedMessage(invocationOf("t", [1]));
		assert.equal(here.kept(jsonProtocol), here);
		const bytes = jsonProtocol.write(invocationOf("t", [1]));
		const decode = (): never => assert.fail("nobody has to read it");
		const delivery = { kind: "state", key: "k" } as const;
		const head = { type: MessageType.Invocation, invocationId: "7" };
		const written = { ...head, protocolName: "json", bytes, decode };
		const kept = PreparedMessage.written(written, delivery).kept(jsonProtocol);
		assert.equal(kept.invocationId, "7");
		bytes.fill(0);
		assert.deepEqual(kept.bytesFor(jsonProtocol), here.bytesFor(jsonProtocol));
		assert.deepEqual(kept.bytesFor(messagePackProtocol), here.bytesFor(messagePackProtocol));
		assert.deepEqual(kept.delivery, delivery);
	});

	it("is not to be had from a record without a message", () => {
		assert.throws(() => decodeRecord(jsonProtocol, Buffer.from("{")), TypeError);
		assert.throws(() => decodeRecord(jsonProtocol, Buffer.alloc(0)), TypeError);
	});
});
