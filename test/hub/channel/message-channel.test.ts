import assert from "node:assert/strict";
import { inspect } from "node:util";
import fc from "fast-check";
import { deferred } from "../../../lib/base/index.js";
import { TrunklineError } from "../../../lib/errors/index.js";
import { invocationOf, PreparedMessage } from "../../../lib/hub/index.js";
import { MessageType } from "../../../lib/protocols/index.js";
import { settle } from "../fakes.js";
import { call, codeOf, FAILED, Fixture, PING, SHAKE } from "./channel-fixture.js";

describe("hub/channel/message-channel: messages", () => {
	it("ignores types that it does not know and goes on", () => {
		const fixture = new Fixture().shake();
		fixture.connection.receive('{"type":99,"x":1}', call("a"));
		assert.deepEqual(fixture.targets, ["a"]);
	});

	it("closes a connection that breaks the protocol, once, and hears no more of it", async () => {
		const bad = [
			"{",
			"",
			"[]",
			"{}",
			'{"type":"1"}',
			'{"type":1,"target":"t"}',
			'{"type":1,"target":"t","arguments":{}}',
		];
		for (const record of bad) {
			const fixture = new Fixture().shake();
			fixture.connection.receive(`${call("a")}\u001e${record}\u001e${call("b")}`, call("c"), record);
			await settle();
			assert.deepEqual(fixture.answers, [FAILED], record);
			assert.deepEqual(fixture.targets, ["a"]);
			assert.deepEqual(
				fixture.reasons.map(({ kind }) => kind),
				["lost"],
			);
			assert.equal(fixture.connection.isEnded, true);
			assert.equal(fixture.clock.pending, 0);
		}
	});

	it("tells what was wrong only with detailedErrors", () => {
		const fixture = new Fixture({ detailedErrors: true }).shake();
		fixture.connection.receive("{}");
		assert.match(fixture.answers[0] ?? "", /Connection closed with an error\. TrunklineError: .*type/);
	});

	it("takes 32768 bytes in all, and not one more", () => {
		const head = '{"type":1,"target":"t","arguments":["';
		const ofSize = (bytes: number): string => `${head}${"a".repeat(bytes - head.length - 4)}"]}`;
		const fits = new Fixture().shake();
		fits.connection.receive(ofSize(32_768), ofSize(32_768));
		assert.equal(fits.messages.length, 2);
		const large = new Fixture().shake();
		large.connection.receive(ofSize(32_769));
		assert.deepEqual([large.messages, large.answers], [[], [FAILED]]);
		assert.equal(codeOf(large.reasons), "ERR_MESSAGE_TOO_LARGE");
		const endless = new Fixture().shake();
		endless.connection.receive(Buffer.alloc(32_768, 97));
		assert.deepEqual(endless.answers, [FAILED]);
	});

	it("takes another limit at any time, bytes that wait included", () => {
		const fixture = new Fixture().shake();
		const half = call("a".repeat(40_000));
		fixture.channel.maxMessageBytes = 100_000;
		fixture.connection.receive(Buffer.from(half.slice(0, 20_000)));
		fixture.channel.maxMessageBytes = 200_000;
		fixture.connection.receive(half.slice(20_000));
		assert.equal(fixture.targets.length, 1);
		fixture.channel.maxMessageBytes = 10;
		fixture.connection.receive(call("b"));
		assert.deepEqual(fixture.answers, [FAILED]);
	});

	it("survives any bytes behind the handshake", () => {
		for (const protocol of ["json", "messagepack"]) {
			fc.assert(
				fc.property(fc.array(fc.uint8Array({ maxLength: 80 }), { maxLength: 4 }), (chunks) => {
					const fixture = new Fixture();
					fixture.connection.receive(`{"protocol":"${protocol}","version":1}`);
					for (const chunk of chunks) fixture.connection.receive(Buffer.from(chunk));
					assert(fixture.reasons.length <= 1);
					fixture.connection.vanish();
					assert.equal(fixture.reasons.length, 1);
				}),
			);
		}
	});

	it("fails where the handler throws", () => {
		const fixture = new Fixture();
		fixture.handler = {
			...fixture.handler,
			message() {
				throw Object.create(null);
			},
		};
		fixture.shake().connection.receive(call("a"));
		assert.deepEqual(fixture.answers, [FAILED]);
		assert(fixture.reasons[0]?.error instanceof Error);
	});

	it("hands over to another receiver, for good", () => {
		const fixture = new Fixture().shake();
		const heard: string[] = [];
		fixture.channel.handOver({
			message: (message) => void heard.push(String(message.type)),
			closed: () => void heard.push("closed"),
		});
		fixture.connection.receive(PING);
		fixture.connection.vanish();
		assert.deepEqual([heard, fixture.messages, fixture.reasons], [["6", "closed"], [], []]);
	});
});

describe("hub/channel/message-channel: back-pressure", () => {
	it("reads no further until the promise resolves, inside of a chunk too", async () => {
		const fixture = new Fixture().shake();
		fixture.hold = deferred();
		fixture.connection.receive(`${call("a")}\u001e${call("b")}`, call("c"));
		assert.deepEqual(fixture.targets, ["a"]);
		assert.equal(fixture.connection.isPaused, true);
		const { hold } = fixture;
		fixture.hold = undefined;
		hold.resolve();
		await settle();
		assert.deepEqual(fixture.targets, ["a", "b", "c"]);
		assert.equal(fixture.connection.isPaused, false);
	});

	it("stays paused where the next message asks again", async () => {
		const fixture = new Fixture().shake();
		const first = deferred();
		fixture.hold = first;
		fixture.connection.receive(`${call("a")}\u001e${call("b")}`);
		fixture.hold = deferred();
		first.resolve();
		await settle();
		assert.deepEqual(fixture.targets, ["a", "b"]);
		assert.equal(fixture.connection.isPaused, true);
	});

	it("gives up when the connection ends meanwhile", async () => {
		const fixture = new Fixture().shake();
		fixture.hold = deferred();
		fixture.connection.receive(`${call("a")}\u001e${call("b")}`);
		fixture.connection.vanish();
		fixture.hold.resolve();
		await settle();
		assert.deepEqual([fixture.targets, fixture.reasons], [["a"], [{ kind: "closed" }]]);
	});

	it("fails the connection where the promise rejects", async () => {
		const fixture = new Fixture().shake();
		fixture.hold = deferred();
		fixture.connection.receive(call("a"));
		fixture.hold.reject(new Error("secret"));
		await settle();
		assert.deepEqual(fixture.answers, [FAILED]);
	});
});

describe("hub/channel/message-channel: log", () => {
	it("tells of a client that breaks the protocol once, with a reason, and nothing of what it sent", async () => {
		const bad = [
			'{"password": hunter2}',
			'{"type":"hunter2"}',
			`{"type":1,"target":"${"hunter2".repeat(9_000)}`,
		];
		for (const record of bad) {
			const fixture = new Fixture().shake();
			fixture.connection.receive(record, record);
			await settle();
			const [entry] = fixture.log.entries;
			assert.deepEqual(fixture.log.lines, ["warn A client was lost."]);
			assert.deepEqual(
				[entry?.err, typeof entry?.reason, typeof entry?.code],
				[undefined, "string", "string"],
			);
			assert.equal(inspect(fixture.log.entries, { depth: 9 }).includes("hunter"), false);
		}
	});

	it("tells of clients that timed out or whose transport failed at debug, of slow ones at warn, of ends not at all", () => {
		const lost = (error?: Error): unknown => {
			const fixture = new Fixture().shake();
			fixture.connection.vanish(error);
			return fixture.log.entries.map(({ level, code, reason }) => [level, code, reason]);
		};
		assert.deepEqual(lost(new TrunklineError("ERR_SLOW_CLIENT", "slow")), [
			["warn", "ERR_SLOW_CLIENT", "slow"],
		]);
		assert.deepEqual(lost(new TrunklineError("ERR_TRANSPORT", "x")), [["debug", "ERR_TRANSPORT", "x"]]);
		assert.deepEqual(lost(), []);
		const silent = new Fixture().shake();
		silent.connection.receive(PING);
		silent.clock.advance(40_000);
		assert.deepEqual(silent.log.lines, ["debug A client was lost."]);
	});

	it("keeps the stack of an error that is the server's own", () => {
		const error = new Error("x");
		const fixture = new Fixture();
		fixture.handler = {
			...fixture.handler,
			message() {
				throw error;
			},
		};
		fixture.shake().connection.receive(call("a"));
		assert.deepEqual(fixture.log.lines, ["warn A connection failed and is closed."]);
		assert.equal(fixture.log.entries[0]?.err, error);
		const early = new Fixture({
			protocol() {
				throw error;
			},
		});
		early.connection.receive(SHAKE);
		assert.equal(early.log.entries[0]?.err, error);
	});
});

describe("hub/channel/message-channel: keep-alive", () => {
	it("pings on schedule, whatever else is sent, and answers no ping", () => {
		const fixture = new Fixture().shake();
		fixture.connection.receive(PING);
		assert.deepEqual(fixture.answers, []);
		fixture.clock.advance(14_000);
		fixture.channel.send(new PreparedMessage(invocationOf("t", [])));
		assert.equal(fixture.answers.length, 1);
		fixture.clock.advance(1_000);
		assert.deepEqual(fixture.answers.slice(1), [PING]);
		fixture.connection.receive(PING);
		fixture.clock.advance(15_000);
		assert.deepEqual(fixture.answers.slice(1), [PING, PING]);
	});

	it("keeps a silent client that never pinged", () => {
		const fixture = new Fixture().shake();
		fixture.connection.receive(call("a"));
		fixture.clock.advance(3_600_000);
		assert.equal(fixture.connection.isEnded, false);
	});

	it("closes a client that pinged once and is silent", () => {
		const fixture = new Fixture().shake();
		fixture.connection.receive(PING);
		fixture.clock.advance(29_000);
		assert.equal(fixture.connection.isEnded, false);
		fixture.clock.advance(1_000);
		assert.deepEqual(fixture.answers.at(-1), FAILED);
		assert.equal(codeOf(fixture.reasons), "ERR_CLIENT_TIMEOUT");
		assert.equal(fixture.clock.pending, 0);
	});

	it("takes any message, also one of an unknown type, as a sign of life", () => {
		const fixture = new Fixture().shake();
		fixture.connection.receive(PING);
		for (const sign of [call("a"), '{"type":99}', PING]) {
			fixture.clock.advance(29_000);
			fixture.connection.receive(sign);
		}
		assert.equal(fixture.connection.isEnded, false);
	});

	it("stands still while the reading is held, and starts anew afterwards", async () => {
		const fixture = new Fixture().shake();
		fixture.connection.receive(PING);
		fixture.hold = deferred();
		fixture.connection.receive(call("a"));
		fixture.clock.advance(600_000);
		assert.equal(fixture.connection.isEnded, false);
		fixture.hold.resolve();
		fixture.hold = undefined;
		await settle();
		fixture.clock.advance(29_000);
		assert.equal(fixture.connection.isEnded, false);
		fixture.clock.advance(1_000);
		assert.equal(fixture.connection.isEnded, true);
	});
});

describe("hub/channel/message-channel: end", () => {
	it("sends Close and nothing after it", async () => {
		const fixture = new Fixture().shake();
		fixture.channel.close({ type: MessageType.Close, allowReconnect: true });
		fixture.channel.send(new PreparedMessage(invocationOf("t", [])));
		fixture.channel.close({ type: MessageType.Close });
		fixture.connection.receive(call("a"));
		await settle();
		assert.deepEqual(fixture.answers, ['{"type":7,"allowReconnect":true}']);
		assert.deepEqual(
			[fixture.messages, fixture.reasons, fixture.closedChannels],
			[[], [{ kind: "closed" }], 1],
		);
	});

	it("tells a loss from an end in order", () => {
		const error = new Error("slow");
		for (const [given, expected] of [
			[undefined, { kind: "closed" }],
			[error, { kind: "lost", error }],
		] as const) {
			const fixture = new Fixture().shake();
			fixture.connection.vanish(given);
			assert.deepEqual(fixture.reasons, [expected]);
			assert.equal(fixture.clock.pending, 0);
		}
	});

	it("closes without a word before the handshake", async () => {
		const fixture = new Fixture();
		fixture.channel.close({ type: MessageType.Close, allowReconnect: true });
		await settle();
		assert.deepEqual([fixture.connection.records, fixture.closedChannels], [[], 1]);
	});
});
