import assert from "node:assert/strict";
import fc from "fast-check";
import { resolveSessionOptions } from "../../../lib/forwarding/session/options.js";
import { Session } from "../../../lib/forwarding/session/session.js";
import type { SessionEnd } from "../../../lib/forwarding/session/terms.js";
import { ClientShare } from "../../../lib/forwarding/sharing/client-share.js";
import { type SharedWindow, WindowShares } from "../../../lib/forwarding/sharing/window-shares.js";
import { Random } from "../../fuzz/frames/random.js";
import { Pool } from "../session/simulation/pool.js";
import { SimulatedClock } from "../session/simulation/simulated-clock.js";
import { ALL_FAULTS, Weather } from "../session/simulation/weather.js";
import { frameOf, readFrame } from "./test-window.js";

const WINDOW_BYTES = 32 * 1_024;
const SHARE_BYTES = 512;
const FRAME_BYTES = 300;
const FLOODERS = 8;
const CLIENTS = 12;
const MS = 2_000;

/** One end of a session whose clients share its window: those below {@link FLOODERS} write all the time. */
class Sender implements SharedWindow {
	readonly faults: string[] = [];
	readonly session: Session;
	readonly shares: WindowShares;
	/** Frames that each client has given, and those of them that waited when they were given. */
	readonly given: number[] = new Array(CLIENTS).fill(0);
	end: SessionEnd | undefined;
	readonly #clients = Array.from({ length: CLIENTS }, () => new ClientShare());

	constructor(clock: SimulatedClock, closeLink: (link: number, incarnation: number) => void) {
		this.session = new Session({
			clock,
			options: resolveSessionOptions({ windowBytes: WINDOW_BYTES, maxWaitingBytes: 2 * WINDOW_BYTES }),
			handlers: {
				...{ deliver: () => {}, writable: () => {}, suspected: () => {}, closeLink },
				advanced: () => this.shares.serve(),
				ended: (end) => {
					this.end = end;
				},
			},
		});
		this.shares = new WindowShares(this, SHARE_BYTES);
	}

	get size(): number {
		return this.session.windowBytes;
	}

	get load(): number {
		return this.size > 0 ? this.session.keptBytes / this.size : Number.POSITIVE_INFINITY;
	}

	get next(): number {
		return this.session.last + 1;
	}

	get confirmed(): number {
		return this.session.confirmed;
	}

	append(piece: Buffer): void {
		if (this.session.send(piece) === "full") this.faults.push("More was written than the session may hold.");
	}

	isHeld(client: number): boolean {
		return this.#clients[client]?.isWaiting === true;
	}

	write(client: number): void {
		const frame = frameOf(client, this.given[client] ?? 0, FRAME_BYTES);
		this.given[client] = (this.given[client] ?? 0) + 1;
		if (this.shares.isOpen) this.append(frame);
		else this.shares.write(this.#clients[client] as ClientShare, [frame]);
	}
}

/** The other end: it hears what comes, no faster than it can. */
class Hearer {
	readonly faults: string[] = [];
	readonly session: Session;
	readonly heard: number[] = new Array(CLIENTS).fill(0);

	constructor(clock: SimulatedClock, closeLink: (link: number, incarnation: number) => void) {
		this.session = new Session({
			clock,
			options: resolveSessionOptions({ windowBytes: WINDOW_BYTES }),
			handlers: {
				...{ writable: () => {}, suspected: () => {}, closeLink, ended: () => {} },
				deliver: (frame) => this.#hear(frame),
			},
		});
	}

	#hear(frame: Buffer): void {
		const { client, number } = readFrame(frame);
		const expected = this.heard[client];
		if (number !== expected) this.faults.push(`It heard ${number} of client ${client}, not ${expected}.`);
		this.heard[client] = number + 1;
	}
}

/** What happened in a world with links that fail. */
function play(seed: number, gapMs: number) {
	const clock = new SimulatedClock();
	const random = new Random(seed);
	const pool: Pool = new Pool({ clock, random, links: 3, delayMs: [1, 5] });
	const cut = (link: number, incarnation: number): void => pool.places[link]?.cut(incarnation);
	const proxy = new Sender(clock, cut);
	const app = new Hearer(clock, cut);
	pool.start({ a: proxy, b: app });
	const weather = new Weather(pool, ALL_FAULTS, gapMs);
	weather.start();
	let mostWaiting = 0;
	let isTalking = true;
	const turn = (): void => {
		if (!isTalking) return;
		// Whose reading is held says nothing more.
		for (let client = 0; client < FLOODERS; client++)
			for (let frames = 10; frames > 0 && !proxy.isHeld(client); frames--) proxy.write(client);
		for (let client = FLOODERS; client < CLIENTS; client++)
			if (random.once(50) && !proxy.isHeld(client)) proxy.write(client);
		mostWaiting = Math.max(mostWaiting, proxy.shares.waitingBytes);
		clock.post(1, turn);
	};
	turn();
	return {
		...{ clock, proxy, app },
		advance: () => clock.advance(MS),
		hush() {
			isTalking = false;
			weather.stop();
		},
		get mostWaiting() {
			return mostWaiting;
		},
	};
}

describe("forwarding/sharing over links that fail", function () {
	this.timeout(20_000);
	const worlds = [fc.nat(), fc.constantFrom(30, 200, 1_000)] as const;

	it("delivers every client's frames once and in order, and holds no more than one of each", () => {
		fc.assert(
			fc.property(...worlds, (seed, gapMs) => {
				const world = play(seed, gapMs);
				const { clock, proxy, app } = world;
				world.advance();
				world.hush();
				for (let left = 0; left < 40 && !(proxy.session.isIdle && proxy.shares.waiting === 0); left++)
					clock.advance(1_000);
				assert.deepEqual([proxy.faults, app.faults], [[], []]);
				assert.deepEqual(app.heard, proxy.given);
				assert.ok(world.mostWaiting <= CLIENTS * FRAME_BYTES, `${world.mostWaiting} bytes waited`);
				for (const { session } of [proxy, app]) session.end("closed");
				assert.equal(clock.timers, 0);
			}),
			{ numRuns: 8 },
		);
	});

	it("leaves, where the session ends meanwhile, what was not sent in each client's order, and nothing twice", () => {
		fc.assert(
			fc.property(...worlds, (seed, gapMs) => {
				const world = play(seed, gapMs);
				const { proxy, app } = world;
				world.advance();
				proxy.session.end("lost");
				const { unconfirmed = [], unsent = [] } = proxy.end ?? {};
				const last = new Array<number>(CLIENTS).fill(-1);
				for (const frame of [...unconfirmed, ...unsent, ...proxy.shares.take()]) {
					const { client, number } = readFrame(frame);
					const before = last[client] ?? -1;
					if (before >= 0) assert.equal(number, before + 1);
					else
						assert.ok(
							number <= (app.heard[client] ?? 0),
							"nothing lies between what was heard and what is left",
						);
					last[client] = number;
				}
				for (const [client, number] of last.entries())
					assert.equal(number < 0 ? app.heard[client] : number + 1, proxy.given[client]);
				assert.deepEqual([proxy.shares.waiting, app.faults], [0, []]);
				world.hush();
			}),
			{ numRuns: 8 },
		);
	});
});
