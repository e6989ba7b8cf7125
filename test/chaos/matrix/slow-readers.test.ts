import assert from "node:assert/strict";
import { createViewModelHub, MulticastViewModel } from "../../../lib/dotnetify/index.js";
import { acceptLinks, useForwarding } from "../../../lib/forwarding/index.js";
import {
	type ClientConnection,
	createHub,
	createServer,
	type Hub,
	ManualClock,
	type Server,
} from "../../../lib/index.js";
import { RawClient } from "../../hub/live.js";
import { PacedConnection } from "./paced-connection.js";

const PATH = "/hub";
const SECRET = "a secret of slow readers, long";
/** What the slow client reads in a second. */
const PACE_BYTES = 1_024;
/** What may wait for it: as much as it reads before it is cut. */
const CAP_BYTES = 4 * PACE_BYTES;
const FAST = 3;
const PAD = "x".repeat(120);
const CHANGES_PER_SECOND = 8;

/** Something that changes more often than a slow client can be told. */
class Board extends MulticastViewModel {
	Version = 0;
	Pad = "";

	change(): void {
		this.Version++;
		this.Pad = `${this.Version}${PAD}`;
		this.pushUpdates();
	}
}

/** What a client was told by view models, in order. */
function statesOf(messages: readonly unknown[]): { readonly Version?: number; readonly Pad?: string }[] {
	return messages.flatMap((message) => {
		const { target, arguments: args } = message as { target?: string; arguments?: [[string, string]] };
		return target === "Response_VM" && args ? [JSON.parse(args[0][1]) as { Version?: number }] : [];
	});
}

/** Numbers of the events that a client was told of. */
function eventsOf(messages: readonly unknown[]): unknown[] {
	return messages.flatMap((message) => {
		const { target, arguments: args } = message as { target?: string; arguments?: unknown[] };
		return target === "event" ? [args?.[0]] : [];
	});
}

/** A proxy and an app server whose seconds pass as fast as a test wants, one client that reads slowly, and fast ones. */
class Street {
	readonly clock = new ManualClock();
	readonly app: Hub;
	readonly proxy: Hub;
	readonly fast: RawClient[] = [];
	/** All that the fast ones were told. */
	readonly told: unknown[][] = [];
	readonly ended: unknown[] = [];
	#slow: PacedConnection | undefined;
	#connection: ClientConnection | undefined;
	readonly #servers: Server[] = [];
	/** The most that waited anywhere. */
	readonly most = { slow: 0, session: 0, queued: 0 };

	constructor(makeApp: (options: { readonly clock: ManualClock }) => Hub) {
		const { clock } = this;
		this.app = makeApp({ clock }).use(acceptLinks({ secrets: [SECRET] }));
		this.proxy = createHub()({ clock, maxBufferedBytes: CAP_BYTES });
		this.proxy.on("disconnected", (_ctx, { error }) => {
			this.ended.push((error as { code?: string } | undefined)?.code);
		});
	}

	get slow(): PacedConnection {
		assert.ok(this.#slow);
		return this.#slow;
	}

	/** The slow client as its proxy sees it. */
	get connection(): ClientConnection {
		assert.ok(this.#connection);
		return this.#connection;
	}

	async open(): Promise<void> {
		const appServer = createServer().map(PATH, this.app);
		const { url } = await appServer.listen(0, "127.0.0.1");
		this.proxy.use(useForwarding(url, { secret: SECRET, connectionPoolSize: 2, reconnect: { jitter: 0 } }));
		const server = createServer().map(PATH, this.proxy);
		const { port } = await server.listen(0, "127.0.0.1");
		this.#servers.push(server, appServer);
		while (!this.proxy.ready) await this.#turn();
		this.#slow = await PacedConnection.open(server.http, PATH);
		while (this.proxy.lifetime.size === 0) await this.#turn();
		this.#connection = [...this.proxy.lifetime][0] as ClientConnection;
		for (let at = 0; at < FAST; at++) {
			const client = await RawClient.open(port, PATH);
			await client.handshake();
			this.fast.push(client);
			this.told.push([]);
		}
		while (this.app.lifetime.size <= FAST) await this.#turn();
	}

	/** A second passes: `happens` is called some times in it, the slow client reads as much as it can, the others all. */
	async second(happens: () => void): Promise<void> {
		for (let at = 0; at < CHANGES_PER_SECOND; at++) {
			happens();
			this.slow.read(PACE_BYTES / CHANGES_PER_SECOND);
			await this.#heard();
			this.#look();
		}
		this.clock.advance(1_000 - CHANGES_PER_SECOND);
		this.slow.send({ type: 6 });
		for (const client of this.fast) client.send({ type: 6 });
		await this.#heard();
	}

	async close(): Promise<void> {
		this.#slow?.end();
		for (const { webSocket } of this.fast) webSocket.terminate();
		const closing = this.#servers.map((server) => server.close());
		let isClosed = false;
		const closed = Promise.all(closing).then(() => {
			isClosed = true;
		});
		while (!isClosed) await this.#turn(50);
		await closed;
	}

	/** All that was sent so far has come to the fast ones: each has its answer. */
	async #heard(): Promise<void> {
		for (const client of this.fast) client.invoke("heard", "echo", 0);
		for (const [at, { records }] of this.fast.entries()) {
			for (let isHeard = false; !isHeard; ) {
				while (records.length === 0) await this.#turn();
				const message = JSON.parse(records.shift() ?? "") as Record<string, unknown>;
				isHeard = message["invocationId"] === "heard";
				if (!isHeard) this.told[at]?.push(message);
			}
		}
		this.clock.advance(1);
	}

	/** What waits, and where. */
	#look(): void {
		const { most } = this;
		most.slow = Math.max(most.slow, this.connection.wire.bufferedBytes ?? 0);
		for (const { counters, queuedBytes = 0 } of [...this.proxy.links(), ...this.app.links()]) {
			most.session = Math.max(most.session, counters?.waitingBytes ?? 0);
			most.queued = Math.max(most.queued, queuedBytes);
		}
	}

	async #turn(ms = 1): Promise<void> {
		this.clock.advance(ms);
		await new Promise((resolve) => setImmediate(resolve));
	}
}

describe("chaos/matrix: a client that reads one kilobyte a second", function () {
	this.timeout(20_000);
	let street: Street;
	afterEach(() => street.close());

	it("is late, and then shows what is true: state of which more is made than it can read", async () => {
		const board = new Board();
		street = new Street(({ clock }) => {
			const hub = createViewModelHub({ clock, viewModels: { Board: () => board } });
			return hub.use(async (ctx, next) => (ctx.target === "echo" ? 0 : next())) as unknown as Hub;
		});
		await street.open();
		street.slow.send({ type: 1, target: "Request_VM", arguments: ["Board", null] });
		for (const client of street.fast)
			client.send({ type: 1, target: "Request_VM", arguments: ["Board", null] });
		await street.second(() => {});
		street.slow.pace();
		let wasBehind = 0;
		for (let seconds = 0; seconds < 20; seconds++) {
			await street.second(() => board.change());
			if (street.connection.isBehind) wasBehind++;
			const shown =
				statesOf(street.slow.messages).findLast(({ Version }) => Version !== undefined)?.Version ?? 0;
			const lag = (board.Version - shown) / CHANGES_PER_SECOND;
			assert.ok(lag <= 3, `it shows what was true ${lag} seconds ago`);
		}
		assert.ok(wasBehind > 5, `it was behind for ${wasBehind} s of 20`);
		for (let seconds = 0; seconds < 10; seconds++) await street.second(() => {});
		const states = statesOf(street.slow.messages);
		const merged = Object.assign({}, ...states) as Record<string, unknown>;
		assert.deepEqual([merged["Version"], merged["Pad"]], [board.Version, board.Pad]);
		assert.equal(street.connection.isBehind, false);
		const versions = states.flatMap(({ Version }) => Version ?? []);
		assert.deepEqual(
			versions,
			versions.toSorted((one, other) => one - other),
		);
		assert.ok(versions.length < board.Version, "state was left out");
		for (const told of street.told) {
			const all = statesOf(told).flatMap(({ Version }) => (Version ? Version : []));
			assert.deepEqual(
				all.slice(-board.Version),
				Array.from({ length: board.Version }, (_, at) => at + 1),
			);
		}
		assert.ok(street.most.slow <= CAP_BYTES / 4 + 1_024, `${street.most.slow} bytes waited for it`);
		assert.deepEqual([street.most.session, street.most.queued, street.ended], [0, 0, []]);
	});

	it("gets all events up to the cap, and then Close with allowReconnect; the others miss nothing", async () => {
		street = new Street(
			(options) =>
				createHub()({ ...options, methods: { echo: (_ctx, value: unknown) => value } }) as unknown as Hub,
		);
		await street.open();
		await street.second(() => {});
		street.slow.pace();
		let sent = 0;
		const send = (): void => void street.app.clients.all.send("event", ++sent, PAD);
		for (let seconds = 0; seconds < 30 && street.ended.length === 0; seconds++) await street.second(send);
		assert.deepEqual(street.ended, ["ERR_SLOW_CLIENT"]);
		const atEnd = sent;
		for (let seconds = 0; seconds < 6; seconds++) await street.second(send);
		const events = eventsOf(street.slow.messages);
		assert.deepEqual(
			events,
			Array.from({ length: events.length }, (_, at) => at + 1),
		);
		assert.ok(atEnd - events.length <= CHANGES_PER_SECOND, "what is missing was sent after it was given up");
		const { type, allowReconnect } = street.slow.messages.at(-1) ?? {};
		assert.deepEqual([type, allowReconnect], [7, true]);
		for (const told of street.told)
			assert.deepEqual(
				eventsOf(told),
				Array.from({ length: sent }, (_, at) => at + 1),
			);
		assert.ok(street.most.slow <= CAP_BYTES + 1_024, `${street.most.slow} bytes waited for it`);
		assert.deepEqual([street.most.session, street.most.queued, street.ended.length], [0, 0, 1]);
		assert.equal(street.proxy.lifetime.size, FAST);
	});
});
