import type { LoadConnection } from "./connection.js";
import { maskedFrame } from "./frames.js";
import { type LoadJob, MAX_OUTSTANDING } from "./job.js";
import type { Latencies } from "./latencies.js";

/** What one client of a job sends and is owed. */
interface Talker {
	readonly connection: LoadConnection;
	/** When the message was sent whose answer is the k-th; a ring. */
	readonly sentAt: Float64Array;
	sent: number;
	received: number;
}

/** Keeps a job's messages going and counts them. */
export class Traffic {
	readonly #job: LoadJob;
	readonly #latencies: Latencies;
	/** All messages as frames, twice in a row, so that any run of them is one piece of it. */
	readonly #frames: Buffer;
	readonly #frameBytes: number;
	readonly #talkers: Talker[];
	/** Fan-out: sent and wholly delivered are about messages of the one publisher. */
	readonly #publishedAt = new Float64Array(MAX_OUTSTANDING * 2);
	#published = 0;
	#isStopping = false;
	/** Messages sent so far. */
	sent = 0;
	/** Answers, or deliveries, so far: whole messages and not their parts. */
	answered = 0;
	#records = 0;

	constructor(job: LoadJob, connections: readonly LoadConnection[], latencies: Latencies) {
		this.#job = job;
		this.#latencies = latencies;
		const frames = job.messages.map((text) =>
			maskedFrame(Buffer.from(text, "base64"), job.protocol === "messagepack"),
		);
		this.#frameBytes = frames[0]?.length ?? 0;
		if (frames.some(({ length }) => length !== this.#frameBytes))
			throw new Error("The messages of a job must have one size.");
		if (job.outstanding > Math.min(frames.length, MAX_OUTSTANDING) && job.mode !== "idle")
			throw new Error("A job needs a message for each that is outstanding.");
		this.#frames = Buffer.concat([...frames, ...frames]);
		this.#talkers = connections.map((connection) => ({
			...{ connection, sentAt: new Float64Array(job.outstanding), sent: 0, received: 0 },
		}));
	}

	start(): void {
		const answer = this.#job.mode === "echo" ? this.#echoed : this.#delivered;
		for (const talker of this.#talkers) talker.connection.onMessages = (n) => answer.call(this, talker, n);
		if (this.#job.mode === "fan-out") this.#publish();
		else for (const talker of this.#talkers) this.#send(talker, this.#job.outstanding);
	}

	/** Sends nothing new; what is outstanding still counts. */
	stop(): void {
		this.#isStopping = true;
	}

	/** Records that must have come for what was sent. */
	get expected(): number {
		const { mode, clients, answers } = this.#job;
		return this.sent * answers * (mode === "fan-out" ? clients : 1);
	}

	/** Records that came. */
	get received(): number {
		return this.#records;
	}

	/** True when no client got more or less than the others or than it sent. */
	get isEven(): boolean {
		const { mode, answers } = this.#job;
		return this.#talkers.every(
			({ sent, received }) => received === (mode === "fan-out" ? this.sent : sent) * answers,
		);
	}

	#send(talker: Talker, messages: number): void {
		const now = performance.now();
		const { outstanding, messages: variants } = this.#job;
		const from = (talker.sent % variants.length) * this.#frameBytes;
		for (let k = 0; k < messages; k++) talker.sentAt[talker.sent++ % outstanding] = now;
		this.sent += messages;
		talker.connection.write(this.#frames.subarray(from, from + messages * this.#frameBytes));
	}

	#echoed(talker: Talker, records: number): void {
		const now = performance.now();
		const { outstanding, answers } = this.#job;
		const before = Math.floor(talker.received / answers);
		talker.received += records;
		this.#records += records;
		const after = Math.floor(talker.received / answers);
		for (let k = before; k < after; k++) this.#latencies.add(now - (talker.sentAt[k % outstanding] ?? 0));
		this.answered += after - before;
		if (after > before && !this.#isStopping) this.#send(talker, after - before);
	}

	/** All that may be outstanding in one write: the server has them in one turn. */
	#publish(): void {
		const [publisher] = this.#talkers;
		if (!publisher) return;
		const { outstanding, messages } = this.#job;
		const now = performance.now();
		const from = (this.#published % messages.length) * this.#frameBytes;
		for (let k = 0; k < outstanding; k++)
			this.#publishedAt[this.#published++ % this.#publishedAt.length] = now;
		this.sent += outstanding;
		publisher.connection.write(this.#frames.subarray(from, from + outstanding * this.#frameBytes));
	}

	#delivered(talker: Talker, records: number): void {
		const now = performance.now();
		for (let k = talker.received; k < talker.received + records; k++) {
			this.#latencies.add(now - (this.#publishedAt[k % this.#publishedAt.length] ?? 0));
		}
		talker.received += records;
		this.#records += records;
		this.answered += records;
		if (this.#records >= this.expected && !this.#isStopping) this.#publish();
	}
}
