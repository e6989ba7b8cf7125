import assert from "node:assert/strict";
import { type Deferred, deferred } from "../../../lib/base/index.js";
import { ManualClock } from "../../../lib/index.js";
import { type RawClient, until } from "../../hub/live.js";
import { MESSAGE_BYTES, PAD, SHARE_BYTES, Stage, type StageOptions, WINDOW_BYTES } from "./scarce-stage.js";

/** What is written in one turn of the event loop before the session knows of it. */
const BATCH_BYTES = 64 * 1_024;
const FLOODERS = 50;
/** More than half a window takes of one client that comes first. */
const FLOOD = 60;
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const take = (client: unknown, number: number): object => ({
	type: 1,
	target: "take",
	arguments: [client, number, PAD],
});

/** What a client sent, as it was taken. */
const numbersOf = ({ calls }: Stage, client: unknown): unknown[] =>
	calls.flatMap(([of, number]) => (of === client ? [number] : []));

const range = (count: number): number[] => Array.from({ length: count }, (_, at) => at);

describe("forwarding/sharing, a window without room", function () {
	this.timeout(20_000);
	let stage: Stage;
	afterEach(() => stage.close());

	/** Clients that send much while nothing gets through: what the window takes of it is on its way. */
	async function flood(count = FLOODERS): Promise<RawClient[]> {
		const flooders = await Promise.all(range(count).map(() => stage.client()));
		await until(() => stage.app.lifetime.size === count && stage.isReady);
		stage.hold();
		// In one frame: of one whose frames come apart, some is unread in its socket while it is held, and hides its end.
		for (const [client, flooder] of flooders.entries())
			flooder.send(
				range(FLOOD)
					.map((number) => JSON.stringify(take(client, number)))
					.join("\u001e"),
			);
		// One message of each waits, behind which it is read no more.
		await until(() => stage.status("proxy").queued === count);
		return flooders;
	}

	it("takes turns: fifty flooders leave room for others, and each has one message waiting", async () => {
		stage = await Stage.open();
		await flood();
		const { counters, queued, queuedBytes } = stage.status("proxy");
		assert.ok(
			Number(counters?.keptBytes) <= WINDOW_BYTES + 2 * MESSAGE_BYTES,
			`${counters?.keptBytes} bytes are kept`,
		);
		assert.equal(queued, FLOODERS);
		assert.ok(Number(queuedBytes) <= FLOODERS * MESSAGE_BYTES, `${queuedBytes} bytes wait`);
		const light = await stage.client();
		light.send(take("light", 0));
		light.send(take("light", 1));
		stage.pass();
		await until(() => numbersOf(stage, "light").length === 2);
		const before = stage.calls.findIndex(([client]) => client === "light");
		// What was on its way, and one turn of each.
		const most = (WINDOW_BYTES + FLOODERS * (SHARE_BYTES + MESSAGE_BYTES)) / PAD.length;
		assert.ok(before <= most, `${before} calls came before those of a client with little to say`);
		await until(() => stage.calls.length === FLOODERS * FLOOD + 2);
		for (const client of range(FLOODERS)) assert.deepEqual(numbersOf(stage, client), range(FLOOD));
		assert.deepEqual([stage.status("proxy").queued, stage.status("proxy").queuedBytes], [0, 0]);
	});

	it("hands on what waits of a client that is gone, and then its end", async () => {
		stage = await Stage.open();
		const ended: string[] = [];
		stage.app.on("disconnected", ({ connectionId }, { kind }) => void ended.push(`${connectionId} ${kind}`));
		const flooders = await flood();
		for (const { webSocket } of flooders) webSocket.terminate();
		await until(() => stage.proxy.lifetime.size === 0);
		assert.equal(stage.app.lifetime.size, FLOODERS);
		const { queued } = stage.status("proxy");
		assert.equal(queued, 2 * FLOODERS, "a message and the end of each");
		stage.pass();
		await until(() => ended.length === FLOODERS);
		for (const client of range(FLOODERS)) {
			const numbers = numbersOf(stage, client);
			assert.deepEqual(numbers, range(numbers.length));
			assert.ok(numbers.length > 0);
		}
		assert.deepEqual(stage.proxy.counters.get("undeliverable"), 0);
	});

	it("delivers what waits when the proxy closes, as far as there is time", async () => {
		stage = await Stage.open();
		const flooders = await flood();
		const { queued, counters } = stage.status("proxy");
		assert.equal(queued, FLOODERS);
		const closed = stage.proxy.close({ timeoutMs: 50 });
		stage.pass();
		await closed;
		for (const client of flooders.keys()) {
			const numbers = numbersOf(stage, client);
			assert.deepEqual(numbers, range(numbers.length));
		}
		const least = Number(counters?.keptBytes) / (MESSAGE_BYTES + 100) + FLOODERS;
		assert.ok(stage.calls.length >= least, `${stage.calls.length} calls of ${least}`);
	});

	it("gives what waits to the next app server where this one is gone, and accounts for the rest", async () => {
		stage = await Stage.open({ recovery: "reopen" });
		await flood();
		const next = await stage.replace();
		const reported = (): number => stage.proxy.counters.get("undeliverable");
		await until(() => next.length + reported() === FLOODERS * FLOOD);
		for (const client of range(FLOODERS)) {
			const numbers = next.flatMap(([of, number]) => (of === client ? [number as number] : []));
			assert.deepEqual(numbers, range(FLOOD).slice(-numbers.length));
			assert.ok(numbers.length > 0);
		}
		assert.equal(stage.proxy.counters.get("undeliverable.ERR_FORWARD_LINK_LOST"), reported());
		assert.ok(reported() * PAD.length <= WINDOW_BYTES, "no more than what was on its way");
		assert.equal(stage.proxy.lifetime.size, FLOODERS);
	});

	it("refuses calls where more waits than maxQueuedBytes, and tells their callers", async () => {
		const flooders = 20;
		const frameBytes = PAD.length + 24;
		stage = await Stage.open({ maxQueuedBytes: (flooders - 1 / 2) * frameBytes });
		await flood(flooders);
		const light = await stage.client();
		light.invoke("1", "take", "light", 0);
		const { invocationId, error } = (await light.next()) as Record<string, string>;
		assert.equal(invocationId, "1");
		assert.match(error ?? "", /ERR_FORWARD_QUEUE_FULL/);
		assert.equal(stage.proxy.counters.get("undeliverable.ERR_FORWARD_QUEUE_FULL"), 1);
		stage.pass();
		await until(() => stage.calls.length === flooders * FLOOD);
	});

	it("starts no call while there is no room for its answer, and holds no more than that", async () => {
		stage = await Stage.open({ maxWaitingPerClient: 4 });
		const client = await stage.client();
		await until(() => stage.app.lifetime.size === 1 && stage.isReady);
		const bytes = 8_000;
		// The app server hears the proxy, and is not heard.
		stage.hold("down");
		for (const at of range(40)) client.invoke(String(at), "large", bytes);
		const kept = (): number => Number(stage.status("app").counters?.keptBytes);
		await until(() => kept() >= WINDOW_BYTES && stage.status("app").held === 1);
		for (const _ of range(100)) await turn();
		assert.ok(kept() <= WINDOW_BYTES + BATCH_BYTES + 2 * bytes, `${kept()} bytes are kept`);
		assert.ok(stage.status("app").queued > 0);
		stage.pass();
		for (const at of range(40)) {
			const { invocationId, result } = (await client.next()) as Record<string, string>;
			assert.deepEqual([invocationId, result?.length], [String(at), bytes]);
		}
	});

	it("ends a client that is sent more than may wait for it, not the session, and others lose nothing", async () => {
		stage = await Stage.open();
		const slow: string[] = [];
		stage.app.observe({ slowClientClosed: ({ transport }) => void slow.push(transport) });
		const [greedy, other] = await Promise.all([stage.client(), stage.client()]);
		await until(() => stage.app.lifetime.size === 2);
		const ended: unknown[] = [];
		stage.app.on("disconnected", (_ctx, { error }) => void ended.push((error as { code?: string })?.code));
		greedy.invoke("1", "push", 1_000);
		await until(() => ended.length === 1);
		assert.deepEqual([ended, slow], [["ERR_SLOW_CLIENT"], ["Link"]]);
		let close: Record<string, unknown> = {};
		const pushed: unknown[] = [];
		while (close["type"] !== 7) {
			close = (await greedy.next()) as Record<string, unknown>;
			const { target, arguments: args } = close as { target?: string; arguments?: unknown[] };
			if (target === "pushed") pushed.push(args?.[0]);
		}
		assert.equal(close["allowReconnect"], true);
		assert.deepEqual(pushed, range(pushed.length));
		assert.ok(pushed.length * PAD.length > WINDOW_BYTES);
		other.invoke("2", "large", 10);
		assert.equal(((await other.next()) as { result?: unknown }).result, "y".repeat(10));
		assert.equal(stage.app.counters.get("linkSessionsLost"), 0);
	});
});

describe("forwarding/sharing, the time of clients that are held", function () {
	this.timeout(20_000);
	const TIMEOUT_MS = 4_000;
	let stage: Stage;
	let clock: ManualClock;
	let gate: Deferred<void>;
	let ended: string[];
	let read: number;

	/** A proxy whose time passes as the test wants. */
	async function open(options: StageOptions): Promise<void> {
		clock = new ManualClock(Date.now());
		gate = deferred();
		stage = await Stage.open({ ...options, proxy: { clock, clientTimeoutMs: TIMEOUT_MS } }, gate.promise);
		ended = [];
		read = 0;
		stage.proxy.on("disconnected", ({ connectionId }, { error }) => {
			ended.push(`${connectionId} ${(error as { code?: string } | undefined)?.code}`);
		});
		stage.proxy.observe({ messageReceived: () => void read++ });
		while (!stage.isReady) await tick();
	}

	async function tick(ms = 1): Promise<void> {
		clock.advance(ms);
		await turn();
	}

	/** A client whose time runs, and its connection. */
	async function client(): Promise<{ readonly raw: RawClient; readonly id: string }> {
		const known = new Set([...stage.proxy.lifetime].map(({ connectionId }) => connectionId));
		const raw = await stage.client();
		const before = read;
		raw.send({ type: 6 });
		await until(() => read > before);
		const id = [...stage.proxy.lifetime].find(({ connectionId }) => !known.has(connectionId))?.connectionId;
		return { raw, id: String(id) };
	}

	/** Sends until it is held, and then more, of which not all is read. Answers how much was sent. */
	async function fill(raw: RawClient, isHeld: () => boolean): Promise<number> {
		let sent = 0;
		while (!isHeld()) {
			const before = read;
			raw.send(take("held", sent++));
			while (read === before && !isHeld()) await tick(0);
		}
		const before = read;
		for (const _ of range(5)) raw.send(take("held", sent++));
		for (let quiet = 0, last = read; quiet < 100; quiet++) {
			if (read !== last) quiet = 0;
			last = read;
			await tick(0);
		}
		assert.ok(read - before < 5, "not all of it was read");
		return sent;
	}

	/** Time passes for all: who is silent is ended, who is held is not. */
	async function pass(held: string, silent: string): Promise<void> {
		for (let seconds = 0; seconds <= (2 * TIMEOUT_MS) / 1_000; seconds++) await tick(1_000);
		assert.deepEqual(ended, [`${silent} ERR_CLIENT_TIMEOUT`]);
		assert.ok(stage.proxy.lifetime.get(held));
	}

	/** All that it sent is taken, and then its time runs anew. */
	async function goOn(held: string, sent: number): Promise<void> {
		while (stage.calls.length < sent) await tick(0);
		assert.deepEqual(numbersOf(stage, "held"), range(sent));
		for (let ms = 0; ms < TIMEOUT_MS - 2_000; ms += 1_000) await tick(1_000);
		assert.equal(ended.length, 1);
		for (let seconds = 0; seconds < 4; seconds++) await tick(1_000);
		assert.deepEqual(ended.slice(1), [`${held} ERR_CLIENT_TIMEOUT`]);
	}

	afterEach(async () => {
		gate.resolve();
		stage.pass();
		let isClosed = false;
		void stage.close().then(() => {
			isClosed = true;
		});
		while (!isClosed) await tick(20);
	});

	it("stands still while the window has no room for it", async () => {
		await open({});
		gate.resolve();
		const { raw, id } = await client();
		const silent = await client();
		stage.hold();
		const sent = await fill(raw, () => stage.status("proxy").queued > 0);
		await pass(id, silent.id);
		stage.pass();
		await goOn(id, sent);
	});

	it("stands still while too much of it waits at the app server", async () => {
		await open({ maxWaitingPerClient: 2 });
		const { raw, id } = await client();
		const silent = await client();
		const sent = await fill(raw, () => stage.status("proxy").held === 1);
		assert.deepEqual([stage.status("proxy").held, stage.status("app").held], [1, 1]);
		assert.ok(stage.status("app").queued > 2 && Number(stage.status("app").queuedBytes) > 2 * PAD.length);
		await pass(id, silent.id);
		gate.resolve();
		await goOn(id, sent);
		assert.deepEqual([stage.status("app").queued, stage.status("app").queuedBytes], [0, 0]);
	});
});
