import assert from "node:assert/strict";
import fc from "fast-check";
import { invocationOf } from "../../../lib/hub/index.js";
import { jsonProtocol, MessageType, messagePackProtocol } from "../../../lib/protocols/index.js";
import { FakeConnection, settle } from "../fakes.js";

import { call, FAILED, Fixture, PING, SHAKE } from "./channel-fixture.js";

describe("hub/channel/message-channel: handshake", () => {
	it("answers, then hands out messages, glued to it or not", () => {
		const fixture = new Fixture();
		fixture.connection.receive(Buffer.from(`${SHAKE}\u001e${call("a")}\u001e${call("b")}\u001e${PING}`));
		assert.deepEqual(fixture.connection.records, ["{}"]);
		assert.deepEqual(fixture.targets, ["a", "b"]);
		fixture.connection.receive(Buffer.from("\u001e"));
		assert.equal(fixture.messages.length, 3);
		assert.equal(fixture.channel.protocol, jsonProtocol);
	});

	it("is refused with the error that an acceptor gives, whatever it asks for", () => {
		const fixture = new Fixture();
		fixture.bar = "Not you.";
		fixture.connection.receive(Buffer.from(`${SHAKE}\u001e${call("a")}\u001e`));
		assert.deepEqual(fixture.connection.records, ['{"error":"Not you."}']);
		assert.deepEqual([fixture.targets, fixture.closedChannels], [[], 1]);
	});

	it("takes the stream in any pieces", () => {
		const message = {
			type: MessageType.Invocation,
			target: "straße",
			arguments: invocationOf("", ["€"]).arguments,
		} as const;
		for (const protocol of [jsonProtocol, messagePackProtocol]) {
			const shake = Buffer.from(`{"protocol":"${protocol.name}","version":1}\u001e`);
			const stream = Buffer.concat([shake, protocol.write(message), protocol.write(message)]);
			fc.assert(
				fc.property(fc.array(fc.nat(stream.length)), (cuts) => {
					const fixture = new Fixture();
					const edges = [0, ...cuts.sort((a, b) => a - b), stream.length];
					for (const [at, edge] of edges.slice(1).entries())
						fixture.connection.receive(stream.subarray(edges[at], edge));
					assert.deepEqual(fixture.targets, ["straße", "straße"]);
				}),
			);
		}
	});

	it("answers in the format of the protocol that it chose", () => {
		for (const [name, format] of [
			["JSON", "Text"],
			["MessagePack", "Binary"],
		]) {
			const { connection } = new Fixture();
			connection.receive(`{"protocol":"${name}","version":2}`);
			assert.deepEqual(connection.sent, [{ bytes: Buffer.from("{}\u001e"), format }]);
		}
	});

	it("refuses with the text that fits, without a Close, and hands nothing out", async () => {
		const broken = "An unexpected error occurred during connection handshake.";
		const cases: readonly (readonly [string | Buffer, string])[] = [
			['{"protocol":"nope","version":1}', "The protocol 'nope' is not supported."],
			['{"protocol":"__proto__","version":1}', "The protocol '__proto__' is not supported."],
			['{"protocol":"json","version":3}', "The server does not support version 3 of the 'json' protocol."],
			['{"protocol":"JSON","version":3}', "The server does not support version 3 of the 'JSON' protocol."],
			['{"protocol":"json"}', broken],
			['{"version":1}', broken],
			["nonsense", broken],
			["", broken],
			["null", broken],
			["[]", broken],
			[call("early"), broken],
			[Buffer.from([0xff, 0xfe, 0x1e]), broken],
			[Buffer.alloc(32_769, 32), "Handshake was canceled."],
		];
		for (const [request, error] of cases) {
			const fixture = new Fixture();
			fixture.connection.receive(request, call("a"));
			assert.deepEqual(fixture.connection.records, [JSON.stringify({ error })]);
			assert.equal(fixture.connection.isEnded, true);
			await settle();
			assert.deepEqual([fixture.messages, fixture.reasons, fixture.closedChannels], [[], [], 1]);
			assert.equal(fixture.clock.pending, 0);
		}
	});

	it("takes a request of just under 32 KB, in small parts too", () => {
		const padded = `${SHAKE.slice(0, -1)},"x":"`;
		const fixture = new Fixture();
		const bytes = Buffer.from(`${padded}${"a".repeat(32_768 - padded.length - 3)}"}\u001e`);
		assert.equal(bytes.length, 32_768);
		for (let at = 0; at < bytes.length; at += 1_000)
			fixture.connection.receive(bytes.subarray(at, at + 1_000));
		assert.deepEqual(fixture.connection.records, ["{}"]);
	});

	it("refuses a binary protocol on a transport of text", () => {
		const { connection } = new Fixture({}, new FakeConnection(["Text"]));
		connection.receive('{"protocol":"messagepack","version":1}');
		const error =
			"Cannot use the 'messagepack' protocol on the current transport. The transport does not support 'Binary' transfer format.";
		assert.deepEqual(connection.records, [JSON.stringify({ error })]);
	});

	it("is canceled when it takes too long, half a request or not", () => {
		for (const part of ["", SHAKE.slice(0, 5)]) {
			const { clock, connection } = new Fixture();
			connection.receive(Buffer.from(part));
			clock.advance(14_999);
			assert.deepEqual(connection.records, []);
			clock.advance(1_000);
			assert.deepEqual(connection.records, ['{"error":"Handshake was canceled."}']);
			assert.equal(connection.isEnded, true);
			assert.equal(clock.pending, 0);
		}
	});

	it("has no time limit once it is done", () => {
		const { clock, connection } = new Fixture().shake();
		clock.advance(14_999);
		assert.equal(connection.isEnded, false);
	});

	it("fails where the hub fails, and tells nothing", () => {
		const fail = (): never => {
			throw new Error("secret");
		};
		const early = new Fixture({ protocol: fail });
		early.connection.receive(SHAKE);
		assert.deepEqual(early.connection.records, [
			'{"error":"An unexpected error occurred during connection handshake."}',
		]);
		const late = new Fixture({ shaken: fail });
		late.connection.receive(SHAKE);
		assert.deepEqual(late.connection.records, ["{}", FAILED]);
	});

	it("tells a handler that ends the channel as it takes it", () => {
		const fixture: Fixture = new Fixture({
			shaken: (channel) => {
				channel.close({ type: MessageType.Close });
				return fixture.handler;
			},
		});
		fixture.connection.receive(SHAKE, call("a"));
		assert.deepEqual([fixture.reasons, fixture.messages], [[{ kind: "closed" }], []]);
	});
});
