import assert from "node:assert/strict";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { ChannelHost } from "../../../lib/hub/channel/channel-host.js";
import { PreparedMessage } from "../../../lib/hub/clients/prepared-message.js";
import { jsonProtocol, MessageType } from "../../../lib/protocols/index.js";
import { FakeConnection, invocation } from "../fakes.js";
import { call, codeOf, FAILED, Fixture } from "./channel-fixture.js";

const SHAKE_2 = '{"protocol":"json","version":2}';
const SEQUENCE_1 = '{"type":9,"sequenceId":1}';

function stateful(options: Partial<ChannelHost> = {}, maxBufferedBytes = 1_000_000): Fixture {
	const connection = new FakeConnection();
	connection.isReconnectable = true;
	connection.maxBufferedBytes = maxBufferedBytes;
	const fixture = new Fixture(options, connection);
	connection.receive(SHAKE_2);
	return fixture;
}

const send = (fixture: Fixture, target: string, args: readonly unknown[] = []): void =>
	fixture.channel.send(new PreparedMessage(invocation(target, args)));

describe("hub/channel, stateful reconnect", () => {
	it("needs the grant and a handshake of version 2", () => {
		assert.equal(stateful().connection.isReconnectEnabled, true);
		const old = new FakeConnection();
		old.isReconnectable = true;
		new Fixture({}, old).shake();
		assert.equal(old.isReconnectEnabled, false);
		const ungranted = new Fixture();
		ungranted.connection.receive(SHAKE_2);
		assert.equal(ungranted.connection.isReconnectEnabled, false);
		ungranted.connection.receive('{"type":8,"sequenceId":99}', '{"type":9,"sequenceId":99}', call("a"));
		ungranted.clock.advance(4_000);
		assert.deepEqual(ungranted.answers, [], "no Ack");
		assert.deepEqual(ungranted.targets.at(-1), "a");
	});

	it("acknowledges what has come, now and then, and at a quarter of the buffer", () => {
		const fixture = stateful();
		fixture.connection.receive(call("a"), call("b"));
		assert.deepEqual(fixture.answers, []);
		fixture.clock.advance(1_000);
		assert.deepEqual(fixture.answers, ['{"type":8,"sequenceId":2}']);
		fixture.clock.advance(5_000);
		assert.equal(fixture.answers.length, 1, "nothing new has come");
		fixture.connection.receive('{"type":6}', call("x".repeat(250)));
		assert.deepEqual(fixture.answers.at(-1), '{"type":8,"sequenceId":3}');
	});

	it("begins a new socket with its Sequence and what was not acknowledged, byte for byte", () => {
		const fixture = stateful();
		for (const target of ["a", "b", "c"]) send(fixture, target);
		const sent = fixture.answers;
		fixture.connection.receive('{"type":8,"sequenceId":1}');
		fixture.connection.interrupt();
		send(fixture, "d");
		const waiting = fixture.answers.at(-1);
		fixture.connection.comeBack();
		assert.deepEqual(fixture.connection.records, ['{"type":9,"sequenceId":2}', sent[1], sent[2], waiting]);
		assert.deepEqual(fixture.reasons, []);
	});

	it("counts each of several messages that came as one", () => {
		const fixture = stateful();
		const two = ["a", "b"].map((target) => jsonProtocol.write(invocation(target)));
		fixture.channel.send(
			PreparedMessage.written({
				...{ type: MessageType.Invocation, invocationId: undefined, isJoined: true },
				...{ protocolName: "json", bytes: Buffer.concat(two) },
				decode: () => assert.fail("nobody has to read them"),
			}),
		);
		send(fixture, "c");
		const [, second, third] = fixture.answers;
		fixture.connection.receive('{"type":8,"sequenceId":1}');
		fixture.connection.interrupt();
		fixture.connection.comeBack();
		assert.deepEqual(fixture.connection.records, ['{"type":9,"sequenceId":2}', second, third]);
	});

	it("says with which number it goes on where nothing is to be repeated", () => {
		const fixture = stateful();
		send(fixture, "a");
		fixture.connection.receive('{"type":8,"sequenceId":1}');
		fixture.connection.interrupt();
		fixture.connection.comeBack();
		assert.deepEqual(fixture.connection.records, ['{"type":9,"sequenceId":2}']);
	});

	it("drops what the client repeats, and half a message of the old socket", () => {
		const fixture = stateful();
		fixture.connection.receive(call("a"), call("b"), Buffer.from('{"type":1,"target":"lo'));
		fixture.connection.interrupt();
		fixture.connection.comeBack();
		fixture.connection.receive('{"type":9,"sequenceId":2}', call("b"), call("c"));
		assert.deepEqual(fixture.targets, ["a", "b", "c"]);
	});

	it("ends a client that leaves messages out, or sends before its Sequence", () => {
		for (const records of [['{"type":9,"sequenceId":3}'], [call("b")], ['{"type":8,"sequenceId":1}']]) {
			const fixture = stateful();
			fixture.connection.receive(call("a"));
			fixture.connection.interrupt();
			fixture.connection.comeBack();
			fixture.connection.receive(...records);
			assert.equal(codeOf(fixture.reasons), "ERR_PROTOCOL");
			assert.deepEqual(fixture.connection.records.at(-1), FAILED);
		}
	});

	it("neither pings nor times out without a socket, and gives the client its time anew afterwards", () => {
		const fixture = stateful();
		fixture.connection.receive('{"type":6}');
		fixture.connection.interrupt();
		const before = fixture.connection.sent.length;
		fixture.clock.advance(60_000);
		assert.equal(fixture.connection.sent.length, before);
		assert.deepEqual(fixture.reasons, []);
		fixture.connection.comeBack();
		fixture.connection.receive(SEQUENCE_1);
		fixture.clock.advance(29_000);
		assert.deepEqual(fixture.reasons, []);
		fixture.clock.advance(2_000);
		assert.equal(codeOf(fixture.reasons), "ERR_CLIENT_TIMEOUT");
	});

	it("is lost, and not closed, when the client does not come back", () => {
		const fixture = stateful();
		fixture.connection.interrupt();
		fixture.connection.vanish();
		assert.equal(fixture.reasons[0]?.kind, "lost");
		assert.equal(codeOf(fixture.reasons), "ERR_CLIENT_TIMEOUT");
	});

	it("makes senders who can wait do so above the buffer's size, until the client acknowledges", async () => {
		const fixture = stateful();
		assert.equal(fixture.channel.writable(), undefined);
		send(fixture, "a", ["x".repeat(1_000)]);
		const wait = fixture.channel.writable();
		assert(wait);
		fixture.connection.receive('{"type":8,"sequenceId":1}');
		await wait;
		assert.equal(fixture.channel.writable(), undefined);
	});

	it("makes them wait without a socket, and lets them go when it ends", async () => {
		const fixture = stateful();
		fixture.connection.interrupt();
		const wait = fixture.channel.writable();
		assert(wait);
		fixture.connection.vanish();
		await wait;
	});

	it("ends a client that is sent more than maxBufferedBytes while it is away, not from inside of the send", async () => {
		const fixture = stateful({}, 2_000);
		fixture.connection.interrupt();
		send(fixture, "a", ["x".repeat(1_500)]);
		assert.equal(fixture.connection.isEnded, false);
		send(fixture, "b", ["x".repeat(1_500)]);
		assert.deepEqual(fixture.reasons, []);
		await nextTurn();
		assert.equal(codeOf(fixture.reasons), "ERR_SLOW_CLIENT");
	});

	it("does not end a client that is only sent much, unless it loses its socket then", async () => {
		const fixture = stateful({}, 2_000);
		for (let at = 0; at < 10; at++) send(fixture, "a", ["x".repeat(1_500)]);
		assert.equal(fixture.connection.isEnded, false);
		fixture.connection.receive('{"type":8,"sequenceId":9}');
		fixture.connection.interrupt();
		fixture.connection.comeBack();
		assert.equal(fixture.connection.records.length, 2);
		fixture.connection.receive(SEQUENCE_1);
		for (let at = 0; at < 10; at++) send(fixture, "a", ["x".repeat(1_500)]);
		fixture.connection.interrupt();
		await nextTurn();
		assert.equal(codeOf(fixture.reasons), "ERR_SLOW_CLIENT");
	});

	it("works while the reading is held", async () => {
		const { deferred } = await import("../../../lib/base/index.js");
		const fixture = stateful();
		fixture.hold = deferred();
		fixture.connection.receive(call("a"), call("b"));
		assert.deepEqual(fixture.targets, ["a"]);
		fixture.connection.interrupt();
		fixture.connection.comeBack();
		fixture.connection.receive(SEQUENCE_1, call("a"), call("b"), call("c"));
		fixture.hold.resolve();
		fixture.hold = undefined;
		await nextTurn();
		assert.deepEqual(fixture.targets, ["a", "b", "c"]);
	});
});

describe("hub/channel, room to send", () => {
	it("is waited for while the socket is full, and told when it has drained", async () => {
		const fixture = new Fixture().shake();
		assert.equal(fixture.channel.writable(), undefined);
		fixture.connection.isFull = true;
		const wait = fixture.channel.writable();
		assert(wait);
		assert.equal(fixture.channel.writable(), wait, "one promise for all");
		fixture.connection.drain();
		await wait;
	});

	it("says when state should be left out: as its connection says, or when much is kept for a client without a socket", () => {
		const plain = new Fixture().shake();
		assert.equal(plain.channel.isSlow, false);
		plain.connection.isSlow = true;
		assert.equal(plain.channel.isSlow, true);
		plain.connection.vanish();
		assert.equal(plain.channel.isSlow, false);
		const away = stateful({}, 8_000);
		send(away, "a", ["x".repeat(2_500)]);
		assert.equal(away.channel.isSlow, false, "it has a socket");
		away.connection.interrupt();
		assert.equal(away.channel.isSlow, true);
		away.connection.comeBack();
		assert.equal(away.channel.isSlow, false);
	});

	it("is there, for nobody, once it is closed", async () => {
		const fixture = new Fixture().shake();
		fixture.connection.isFull = true;
		const wait = fixture.channel.writable();
		fixture.connection.vanish();
		await wait;
		assert.equal(fixture.channel.writable(), undefined);
	});
});

describe("hub/channel, closeOnAuthenticationExpiration", () => {
	it("ends a client whose proof has expired, with allowReconnect, unless it was renewed", () => {
		const fixture = new Fixture({ closeOnAuthenticationExpiration: true }).shake();
		fixture.connection.user = { id: "ann", expiresAt: fixture.clock.now() + 5_000 };
		fixture.clock.advance(4_000);
		assert.deepEqual(fixture.reasons, []);
		fixture.connection.user = { id: "ann", expiresAt: fixture.clock.now() + 5_000 };
		fixture.clock.advance(4_000);
		assert.deepEqual(fixture.reasons, []);
		fixture.clock.advance(1_000);
		assert.deepEqual(fixture.answers, ['{"type":7,"allowReconnect":true}']);
		assert.equal(fixture.reasons.length, 1);
	});

	it("lets it live where it was not asked for", () => {
		const fixture = new Fixture().shake();
		fixture.connection.user = { id: "ann", expiresAt: fixture.clock.now() + 1_000 };
		fixture.clock.advance(10_000);
		assert.deepEqual(fixture.reasons, []);
	});
});
