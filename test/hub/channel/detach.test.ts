import assert from "node:assert/strict";
import { once } from "node:events";
import { setImmediate as nextTurn } from "node:timers/promises";
import { WebSocket } from "ws";
import { type Deferred, deferred } from "../../../lib/base/index.js";
import {
	type Acceptor,
	type ChannelHandler,
	type Connection,
	createHub,
	createServer,
	invocationOf,
	type MessageChannel,
	PreparedMessage,
	type Server,
} from "../../../lib/hub/index.js";
import { type HubProtocol, LengthSplitter, MessageType } from "../../../lib/protocols/index.js";
import { until } from "../live.js";
import { Fixture, SHAKE } from "./channel-fixture.js";

const NOBODY: ChannelHandler = {
	message: () => assert.fail("the handler of a detached channel is never called"),
	closed: () => assert.fail("the handler of a detached channel is never called"),
};

/** What is spoken behind the handshake is nobody's business here. */
const PRIVATE: HubProtocol = {
	name: "private",
	transferFormat: "Binary",
	createSplitter: (maxMessageBytes) => new LengthSplitter(maxMessageBytes),
	parse: () => assert.fail("nothing is read by the channel"),
	write: () => assert.fail("nothing is written by the channel"),
};

const PRIVATE_SHAKE = '{"protocol":"private","version":1}\u001e';

/** Takes connections off their channels, and keeps all that comes. */
class Taker implements Acceptor {
	readonly connections: Connection[] = [];
	readonly ended: Deferred<Error | undefined> = deferred();
	channel: MessageChannel | undefined;
	#got: Buffer = Buffer.alloc(0);

	get got(): string {
		return this.#got.toString();
	}

	protocol(name: string): HubProtocol | undefined {
		return name === PRIVATE.name ? PRIVATE : undefined;
	}

	handshake(channel: MessageChannel): ChannelHandler | undefined {
		if (channel.protocol !== PRIVATE) return undefined;
		const { connection, rest } = channel.detach();
		this.channel = channel;
		this.connections.push(connection);
		this.#got = Buffer.concat([this.#got, rest]);
		connection.listen({
			data: (chunk) => {
				this.#got = Buffer.concat([this.#got, chunk]);
			},
			closed: (error) => this.ended.resolve(error),
		});
		return NOBODY;
	}
}

describe("hub/channel detached", () => {
	it("lets go of its connection: no heartbeat, no Close, no handler, nothing told of its end", async () => {
		const got: string[] = [];
		const fixture: Fixture = new Fixture({
			shaken: (channel) => {
				const { connection, rest } = channel.detach();
				got.push(rest.toString());
				connection.listen({ data: (chunk) => void got.push(chunk.toString()), closed: () => {} });
				return NOBODY;
			},
		});
		fixture.connection.receive(Buffer.from(`${SHAKE}\u001eglued`), Buffer.from("later"));
		assert.deepEqual(got, ["glued", "later"]);
		assert.deepEqual([fixture.detachedChannels, fixture.closedChannels], [1, 0]);
		const { channel, connection, clock } = fixture;
		channel.send(new PreparedMessage(invocationOf("t", [])));
		channel.close({ type: MessageType.Close });
		channel.closed(new Error("x"));
		channel.data(Buffer.from("x"));
		channel.maxMessageBytes = 5;
		clock.advance(60_000);
		assert.deepEqual(connection.records, ["{}"]);
		assert.deepEqual([connection.isEnded, connection.isPaused, fixture.closedChannels], [false, false, 0]);
		assert.deepEqual([channel.writable(), fixture.log.lines], [undefined, []]);
	});

	it("is there to let go of between handshake and end only, and once", () => {
		const early = new Fixture();
		assert.throws(() => early.channel.detach(), { code: "ERR_CONNECTION_CLOSED" });
		const late = new Fixture().shake();
		late.channel.close({ type: MessageType.Close });
		assert.throws(() => late.channel.detach(), { code: "ERR_CONNECTION_CLOSED" });
		const twice = new Fixture().shake();
		twice.channel.detach();
		assert.throws(() => twice.channel.detach(), { code: "ERR_CONNECTION_CLOSED" });
	});

	it("lets those go on who wait for room", async () => {
		const fixture = new Fixture().shake();
		fixture.connection.isFull = true;
		const room = fixture.channel.writable();
		assert(room);
		fixture.channel.detach();
		await room;
	});

	describe("of a live hub", () => {
		const hub = createHub()();
		const taker = new Taker();
		let server: Server;
		let webSocket: WebSocket;
		before(async () => {
			server = createServer().map("/chat", hub.accept(taker));
			const { port } = await server.listen(0, "127.0.0.1");
			webSocket = new WebSocket(`ws://127.0.0.1:${port}/chat`);
			await once(webSocket, "open");
		});
		after(() => server.close());

		it("has its handshake answered in the format of its protocol, and loses and doubles nothing", async () => {
			const answer = once(webSocket, "message") as Promise<[Buffer, boolean]>;
			const sent = Array.from({ length: 2_000 }, (_, at) => `${at};`);
			webSocket.send(`${PRIVATE_SHAKE}${sent[0]}`);
			for (const text of sent.slice(1)) webSocket.send(text);
			const [data, isBinary] = await answer;
			assert.deepEqual([data.toString(), isBinary], ["{}\u001e", true]);
			await until(() => taker.got.length >= sent.join("").length);
			assert.equal(taker.got, sent.join(""));
			assert.equal(hub.lifetime.size, 0);
		});

		it("belongs to its new owner, also where the hub closes", async () => {
			const [connection] = taker.connections;
			connection?.send(Buffer.from("x"), "Binary");
			const [data] = (await once(webSocket, "message")) as [Buffer];
			assert.equal(data.toString(), "x");
			await hub.close();
			await nextTurn();
			assert.equal(webSocket.readyState, WebSocket.OPEN);
			connection?.close();
			await once(webSocket, "close");
			assert.equal(await taker.ended.promise, undefined);
		});
	});
});
