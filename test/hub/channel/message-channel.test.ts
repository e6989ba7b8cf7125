import assert from "node:assert/strict";
import fc from "fast-check";
import { type Deferred, deferred, ManualClock } from "../../../lib/base/index.js";
import { Heartbeat } from "../../../lib/hub/channel/heartbeat.js";
import {
	type ChannelHandler,
	type ChannelHost,
	MessageChannel,
} from "../../../lib/hub/channel/message-channel.js";
import { type DisconnectReason, invocationOf, PreparedMessage } from "../../../lib/hub/index.js";
import {
	type HubMessage,
	jsonProtocol,
	MessageType,
	messagePackProtocol,
} from "../../../lib/protocols/index.js";
import { collectingLog, FakeConnection, settle } from "../fakes.js";

const SHAKE = '{"protocol":"json","version":1}';
const PING = '{"type":6}';
const FAILED = '{"type":7,"error":"Connection closed with an error.","allowReconnect":true}';

function call(target: string): string {
	return `{"type":1,"target":"${target}","arguments":[]}`;
}

/** A channel over a fake connection, and what its owner hears. */
class Fixture {
	readonly clock = new ManualClock(1_000);
	readonly connection: FakeConnection;
	readonly channel: MessageChannel;
	readonly log = collectingLog();
	readonly messages: HubMessage[] = [];
	readonly reasons: DisconnectReason[] = [];
	closedChannels = 0;
	/** Set to ask for back-pressure at the next message. */
	hold: Deferred<void> | undefined;
	handler: ChannelHandler = {
		message: (message) => {
			this.messages.push(message);
			return this.hold?.promise;
		},
		closed: (reason) => void this.reasons.push(reason),
	};

	constructor(options: Partial<ChannelHost> = {}, connection = new FakeConnection()) {
		this.connection = connection;
		const host: ChannelHost = {
			clock: this.clock,
			log: this.log,
			heartbeat: new Heartbeat(this.clock, 4_000),
			handshakeTimeoutMs: 15_000,
			keepAliveIntervalMs: 15_000,
			clientTimeoutMs: 30_000,
			maxMessageBytes: 32_768,
			detailedErrors: false,
			protocol: (name) =>
				[jsonProtocol, messagePackProtocol].find((known) => known.name === name.toLowerCase()),
			shaken: () => this.handler,
			closed: () => void this.closedChannels++,
			...options,
		};
		this.channel = new MessageChannel(connection, host);
	}

	get targets(): string[] {
		return this.messages.flatMap((message) =>
			message.type === MessageType.Invocation ? [message.target] : [],
		);
	}

	/** Answers of the server behind the handshake's. */
	get answers(): string[] {
		return this.connection.records.slice(1);
	}

	shake(): this {
		this.connection.receive(SHAKE);
		assert.deepEqual(this.connection.records, ["{}"]);
		return this;
	}
}

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
		assert.equal((large.reasons[0]?.error as { code?: string }).code, "ERR_MESSAGE_TOO_LARGE");
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
		assert.equal((fixture.reasons[0]?.error as { code?: string }).code, "ERR_CLIENT_TIMEOUT");
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
