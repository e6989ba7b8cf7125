import assert from "node:assert/strict";
import { deferred, ManualClock } from "../../../lib/base/index.js";
import { createHub, type Hub } from "../../../lib/index.js";
import type { CloseMessage } from "../../../lib/protocols/index.js";
import { FakeWire, identityOf, invocation, settle } from "../fakes.js";
import { type Live, live, until } from "../live.js";

const CLOSE = { type: 7, error: undefined, allowReconnect: true };
/** What a proxy holds that is replaced, and how many of its clients the others take in a second. */
const MANY = 2_000;
const PACE = 100;
/** How often some of them go, in milliseconds. */
const STEP_MS = 50;

/** Remembers when it was closed. */
class TimedWire extends FakeWire {
	readonly #clock: ManualClock;
	closedAt: number | undefined;

	constructor(clock: ManualClock) {
		super();
		this.#clock = clock;
	}

	override close(message: CloseMessage): void {
		this.closedAt ??= this.#clock.now();
		super.close(message);
	}
}

/** The most that happened within a second, whenever that began; `times` in milliseconds, ascending. */
function mostInASecond(times: readonly number[]): number {
	let [most, from] = [0, 0];
	for (const [at, time] of times.entries()) {
		while (time - (times[from] ?? time) >= 1_000) from++;
		most = Math.max(most, at - from + 1);
	}
	return most;
}

describe("hub/shutdown spread", () => {
	let clock: ManualClock;
	let gate: ReturnType<typeof deferred<string>>;
	let hub: Hub;
	let wires: FakeWire[];

	beforeEach(() => {
		clock = new ManualClock();
		gate = deferred<string>();
		hub = createHub()({
			clock,
			methods: { slow: () => gate.promise, quick: () => "quick" },
		}) as unknown as Hub;
		wires = [];
	});

	async function open(count: number): Promise<void> {
		wires = Array.from({ length: count }, () => new FakeWire());
		for (const [at, wire] of wires.entries()) hub.open(identityOf(`c${at}`), wire);
		await settle();
	}

	const closed = (): number => wires.filter(({ closes }) => closes.length > 0).length;

	async function pass(ms: number): Promise<number> {
		clock.advance(ms);
		await settle();
		return closed();
	}

	it("sends clients away evenly, in steps, each with allowReconnect, and ends when the last is gone", async () => {
		await open(100);
		const over = hub.close({ spreadMs: 1_000 });
		await settle();
		assert.equal(closed(), 5);
		assert.equal(await pass(49), 5);
		assert.equal(await pass(1), 10);
		for (let at = 3; at <= 20; at++) assert.equal(await pass(50), at * 5);
		await over;
		assert.ok(wires.every(({ closes }) => JSON.stringify(closes) === JSON.stringify([CLOSE])));
		assert.equal(clock.pending, 0);
	});

	it("waits no longer than its clients need: nobody, one, or few", async () => {
		await hub.close({ spreadMs: 10_000 });
		hub = createHub()({ clock, methods: {} }) as unknown as Hub;
		await open(1);
		await hub.close({ spreadMs: 10_000 });
		hub = createHub()({ clock, methods: {} }) as unknown as Hub;
		await open(4);
		const over = hub.close({ spreadMs: 1_000 });
		await settle();
		assert.equal(closed(), 1);
		for (const at of [2, 3, 4]) assert.equal(await pass(250), at);
		await over;
		assert.equal(clock.pending, 0);
	});

	it(`sends ${MANY} clients away, and in no second more than ${PACE}, also where the process stood still`, async () => {
		const timed = Array.from({ length: MANY }, () => new TimedWire(clock));
		for (const [at, wire] of timed.entries()) hub.open(identityOf(`c${at}`), wire);
		await settle();
		let isOver = false;
		const over = hub.close({ spreadMs: (MANY / PACE) * 1_000 }).then(() => {
			isOver = true;
		});
		await settle();
		// What was not done while it stood still is done later, and not faster.
		clock.advance(5_000);
		await settle();
		while (!isOver) {
			assert.ok(clock.pending > 0, "it goes on");
			clock.advance(STEP_MS);
			await settle();
		}
		await over;
		const times = timed.map(({ closedAt }) => closedAt ?? Number.NaN);
		assert.deepEqual(
			times,
			times.toSorted((one, other) => one - other),
			"all of them, in their order",
		);
		assert.equal(mostInASecond(times), PACE);
		assert.equal(times.at(-1), (MANY / PACE) * 1_000 + 5_000 - 2 * STEP_MS);
		assert.ok(timed.every(({ closes }) => JSON.stringify(closes) === JSON.stringify([CLOSE])));
		assert.equal(clock.pending, 0);
	});

	it("serves a client until its turn, and answers what runs then", async () => {
		await open(2);
		const last = hub.lifetime.get("c1");
		const over = hub.close({ spreadMs: 1_000 });
		await settle();
		last?.receive(invocation("quick", [], "1"));
		last?.receive(invocation("slow", [], "2"));
		await settle();
		assert.deepEqual([closed(), wires[1]?.sent.length], [1, 1]);
		assert.equal(await pass(500), 1);
		last?.receive(invocation("quick", [], "3"));
		gate.resolve("slow");
		await over;
		assert.equal(closed(), 2);
		assert.deepEqual(
			wires[1]?.sent.map((message) => "invocationId" in message && message.invocationId),
			["1", "2"],
		);
	});

	it("gives the last one its whole time, and ends at once with a signal, or when it is asked again", async () => {
		await open(4);
		const late = hub.lifetime.get("c3");
		late?.receive(invocation("slow", [], "1"));
		const over = hub.close({ spreadMs: 1_000, timeoutMs: 300 });
		assert.equal(await pass(0), 1);
		for (const at of [2, 3]) assert.equal(await pass(250), at);
		assert.equal(await pass(250), 3);
		assert.equal(await pass(299), 3);
		assert.equal(await pass(251), 4);
		await over;
		for (const draw of [
			(enough: AbortController) => enough.abort(),
			() => void hub.close({ timeoutMs: 0 }),
		]) {
			hub = createHub()({ clock, methods: {} }) as unknown as Hub;
			await open(4);
			const enough = new AbortController();
			const ended = hub.close({ spreadMs: 60_000, signal: enough.signal });
			await settle();
			assert.equal(closed(), 1);
			draw(enough);
			await ended;
			assert.deepEqual([closed(), clock.pending], [4, 0]);
		}
	});

	it("refuses a time that is none", async () => {
		for (const spreadMs of [-1, Number.NaN, Number.POSITIVE_INFINITY])
			await assert.rejects(hub.close({ spreadMs }), { code: "ERR_OPTION", message: /"spreadMs"/ });
	});
});

describe("hub/shutdown spread over sockets", () => {
	let server: Live;
	afterEach(() => server.close());

	it("lets nobody new in, with 503 and Retry-After, while others are served", async () => {
		const clock = new ManualClock();
		server = await live({ clock, methods: { quick: () => "quick" } });
		const [first, second] = [await server.raw(), await server.raw()];
		const over = server.hub.close({ spreadMs: 1_000 });
		await first.next();
		const refused = await fetch(`${server.url}/negotiate`, { method: "POST" });
		assert.deepEqual([refused.status, refused.headers.get("retry-after")], [503, "1"]);
		second.invoke("1", "quick");
		assert.deepEqual(await second.next(), { type: 3, invocationId: "1", result: "quick" });
		await until(() => clock.pending > 0);
		clock.advance(500);
		assert.deepEqual(await second.next(), { type: 7, allowReconnect: true });
		clock.advance(60_000);
		await over;
	});
});
