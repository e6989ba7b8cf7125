import { mkdirSync, writeFileSync } from "node:fs";
import { setTimeout as wait } from "node:timers/promises";
import type { Door } from "./doors/doors.js";
import { Random } from "./frames/random.js";
import { type DoorResult, HUB_PATH, PROXY_PATH, type SentFrame, type Supply, type Worker } from "./report.js";
import { ServerProcess } from "./server-process.js";
import { Witness } from "./witness.js";

const WORKERS = 48;
const TICK_MS = 20;
const WARM_UP_FRAMES = 1_000;
/** Its own numbers, so that the frames of the run are the same whatever came before. */
const WARM_UP_FROM = 0x4000_0000;
const STUCK_MS = 30_000;
const QUIET_TIMEOUT_MS = 20_000;
const QUIET_POLL_MS = 200;
/** Those of the witnesses, what their HTTP clients keep open, and the links of a proxy that behaves. */
const MOST_SOCKETS = 8;
/** One that calls the hub, and one that calls it through a proxy, where it is a client of both. */
const WITNESSES = 3;
/** What the server may hold more than after its warm-up: bounded lists that fill once. */
const HEAP_ALLOWANCE_BYTES = 24 * 1024 * 1024;
const OUTPUT = "temp/fuzz";
/** More than all workers have under way. */
const KEPT_FRAMES = 2_000;

/** What is sent where. */
export interface FuzzSettings {
	readonly seed: number;
	/** Of each door. */
	readonly frames: number;
	/** Number of the first one. */
	readonly from: number;
	readonly doors: readonly Door[];
}

/** A run that found something; its message names the file with the frames. */
export class FuzzFailure extends Error {}

/** Gives out the frames of a door, by number, and remembers the last ones. */
class Frames implements Supply {
	readonly #last: SentFrame[] = [];
	readonly #door: Door;
	readonly #settings: FuzzSettings;
	#given = 0;
	looked = 0;

	constructor(door: Door, settings: FuzzSettings) {
		this.#door = door;
		this.#settings = settings;
	}

	take(): SentFrame | undefined {
		const { frames, from, seed } = this.#settings;
		if (this.#given >= frames) return undefined;
		const index = from + this.#given++;
		const frame = { index, bytes: this.#door.frame(new Random(seed, index)) };
		this.#last[index % KEPT_FRAMES] = frame;
		return frame;
	}

	/** The frames that were given out last: a fault that shows now is one of theirs. */
	get last(): readonly SentFrame[] {
		return this.#last.filter((frame) => frame !== undefined).toSorted((a, b) => a.index - b.index);
	}

	done(frames: number): void {
		this.looked += frames;
	}
}

/** One server and one client that behaves, and doors that do not. */
class Run {
	readonly #server: ServerProcess;
	readonly #witnesses: readonly Witness[];
	readonly #settings: FuzzSettings;
	#heapLimit = Number.POSITIVE_INFINITY;

	constructor(server: ServerProcess, witnesses: readonly Witness[], settings: FuzzSettings) {
		this.#server = server;
		this.#witnesses = witnesses;
		this.#settings = settings;
	}

	get #answers(): readonly number[] {
		return this.#witnesses.map(({ answers }) => answers);
	}

	get #complaints(): readonly string[] {
		return this.#witnesses.flatMap(({ faults }) => faults);
	}

	/** Less than a warm-up. */
	get #isShort(): boolean {
		return this.#settings.frames < WARM_UP_FRAMES;
	}

	/** What is not compiled yet, and lists that are empty yet, say nothing about memory. */
	async warmUp(): Promise<void> {
		const settings = { ...this.#settings, frames: WARM_UP_FRAMES, from: WARM_UP_FROM };
		if (!this.#isShort) for (const door of this.#settings.doors) await this.#pass(door, settings);
		this.#heapLimit = (await this.#quiet()) + HEAP_ALLOWANCE_BYTES;
	}

	async pass(door: Door): Promise<DoorResult> {
		const frames = new Frames(door, this.#settings);
		const result = await this.#pass(door, this.#settings, frames);
		// What was given up half-way takes a second to go: a short run waits for it once.
		const isLast = door === this.#settings.doors.at(-1);
		const heapBytes = isLast || !this.#isShort ? await this.#quiet() : undefined;
		this.#check(door, this.#settings, frames);
		return { ...result, heapBytes };
	}

	async #pass(
		door: Door,
		settings: FuzzSettings,
		frames: Frames = new Frames(door, settings),
	): Promise<Omit<DoorResult, "heapBytes">> {
		const [startedAt, before] = [performance.now(), this.#answers];
		const forwardTo = (url: string | undefined): void => this.#server.forwardTo(url);
		const target = { port: this.#server.port, path: HUB_PATH, forwardTo };
		const workers = door.workers(target, frames, WORKERS);
		try {
			for (const worker of workers) worker.start();
			await this.#finish(door, settings, { frames, workers });
			for (const worker of workers) worker.stop();
			const seconds = (performance.now() - startedAt) / 1_000;
			await this.#witnessed(before);
			this.#check(door, settings, frames);
			return {
				...{ door: door.name, frames: frames.looked, seconds },
				connections: workers.reduce((sum, { connections }) => sum + connections, 0),
				held: workers.reduce((sum, { held }) => sum + held, 0),
				witnessed: Math.min(...this.#answers.map((answers, at) => answers - (before[at] ?? 0))),
			};
		} finally {
			for (const worker of workers) worker.stop();
		}
	}

	async #finish(
		door: Door,
		settings: FuzzSettings,
		{ frames, workers }: { readonly frames: Frames; readonly workers: readonly Worker[] },
	): Promise<void> {
		let [looked, at] = [0, performance.now()];
		while (frames.looked < settings.frames) {
			await wait(TICK_MS);
			const now = performance.now();
			for (const worker of workers) worker.tick(now);
			if (frames.looked > looked) [looked, at] = [frames.looked, now];
			if (now - at > STUCK_MS) this.#server.faults.push(`no frame was looked at for ${STUCK_MS} ms`);
			this.#check(door, settings, frames);
		}
	}

	/** The clients that behave must have been served meanwhile: at least once. */
	async #witnessed(before: readonly number[]): Promise<void> {
		for (const start = performance.now(); performance.now() - start < STUCK_MS; await wait(TICK_MS))
			if (this.#answers.every((answers, at) => answers > (before[at] ?? 0)) || this.#complaints.length > 0)
				return;
		this.#server.faults.push("a witness got no answer");
	}

	/** Waits until only the witnesses are there; returns what the heap holds then. */
	async #quiet(): Promise<number> {
		for (const start = performance.now(); ; await wait(QUIET_POLL_MS)) {
			if (this.#server.faults.length > 0) return 0;
			const { clients, sockets, heapBytes, isPolluted } = await this.#server.state();
			if (isPolluted) this.#server.faults.push("the prototype of all objects was changed");
			if (clients === WITNESSES && sockets <= MOST_SOCKETS && heapBytes < this.#heapLimit) return heapBytes;
			if (performance.now() - start < QUIET_TIMEOUT_MS) continue;
			const left = `${clients} clients, ${sockets} sockets, ${heapBytes} bytes (limit ${this.#heapLimit})`;
			this.#server.faults.push(`afterwards there is too much left: ${left}`);
		}
	}

	#check(door: Door, { seed }: FuzzSettings, { last }: Frames): void {
		const faults = [...this.#server.faults, ...this.#complaints];
		if (faults.length === 0) return;
		const lines = last.map(({ index, bytes }) => `${index} ${bytes.toString("hex")}`);
		const file = `${OUTPUT}/${door.name}-${seed}.txt`;
		mkdirSync(OUTPUT, { recursive: true });
		writeFileSync(
			file,
			`${faults.join("\n\n")}\n\nthe last frames, number and bytes:\n${lines.join("\n")}\n`,
		);
		const from = last[0]?.index ?? 0;
		throw new FuzzFailure(
			`door ${door.name}: ${faults.join("\n")}\nThe frames are in ${file}. Again: ` +
				`npm run fuzz -- --seed ${seed} --door ${door.name} --from ${from} --frames ${last.length}`,
		);
	}
}

/** Sends frames through each door in turn. @throws FuzzFailure when something broke */
export async function fuzz(
	settings: FuzzSettings,
	say: (result: DoorResult) => void = () => {},
): Promise<DoorResult[]> {
	const server = await ServerProcess.start();
	const witnesses = [HUB_PATH, PROXY_PATH].map((path) => new Witness(server.port, path));
	try {
		for (const witness of witnesses) await witness.start();
		const run = new Run(server, witnesses, settings);
		await run.warmUp();
		const results: DoorResult[] = [];
		for (const door of settings.doors) {
			const result = await run.pass(door);
			say(result);
			results.push(result);
		}
		return results;
	} finally {
		for (const witness of witnesses) await witness.stop();
		await server.stop();
	}
}
