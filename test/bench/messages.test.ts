import assert from "node:assert/strict";
import { type Call, messagesOf } from "../../bench/messages.js";

const INVOKE: Call = { target: "echo", isInvoked: true, argumentsOf: (text) => [text] };

describe("bench/messages", () => {
	for (const protocol of ["json", "messagepack", "socket.io"] as const) {
		it(`fills ${protocol} messages up to the size and makes each other than the one before`, () => {
			const messages = messagesOf(INVOKE, 150, protocol).map((text) => Buffer.from(text, "base64"));
			assert.deepEqual([...new Set(messages.map(({ length }) => length))], [150]);
			assert.equal(new Set(messages.map((bytes) => bytes.toString("latin1"))).size, messages.length);
		});
	}

	it("writes Socket.IO's events with the bracket that the load counts at the end only", () => {
		const [first = ""] = messagesOf(INVOKE, 90, "socket.io");
		const text = Buffer.from(first, "base64").toString();
		assert.match(text, /^420\["echo","0+"\]$/);
	});

	it("writes json fields in the stock client's order, with a separator at the end", () => {
		const [first = ""] = messagesOf(INVOKE, 90, "json");
		const text = Buffer.from(first, "base64").toString();
		assert.equal(
			text.replace(/0{2,}/, "…"),
			'{"target":"echo","arguments":["…"],"invocationId":"0","type":1}\u001e',
		);
	});
});
