import { LoadConnection } from "../load/connection.js";
import { maskedFrame } from "../load/frames.js";
import { type Call, messagesOf } from "../messages.js";
import { HUB_PATH, VIEW_MODEL_PATH } from "../subject/role.js";
import type { NeighbourCounts, NeighbourJob } from "./job.js";

/** One kilobyte a second, in so many reads. */
const READS_PER_SECOND = 10;
const READ_BYTES = Math.ceil(1_024 / READS_PER_SECOND);
/** What it is told at once is large: the system takes some megabytes before anything waits for it at its server. */
const LARGE_BYTES = 32_000;
/** What it is told all the time is more than it can read. */
const SMALL_BYTES = 1_024;
const TELL_EVERY_MS = 20;

/** Variants of a message; fewer than that are told at once. */
const MOST_AT_ONCE = 8;

/** What a slow reader is sent. */
export type SlowKind = Exclude<NeighbourJob["kind"], "flooder">;

interface Way {
	readonly path: string;
	/** What those say first that are told, and the messages that come back. */
	readonly join: Call;
	readonly joined: number;
	/** What has it told, and the messages that come back to who says it. */
	readonly tell: Call;
	readonly told: number;
}

const WAYS: Readonly<Record<SlowKind, Way>> = {
	// A view model that all see: the state, and the Completion.
	"slow-state": {
		path: VIEW_MODEL_PATH,
		join: { target: "Request_VM", isInvoked: true, argumentsOf: () => ["Board", null] },
		joined: 2,
		tell: { target: "Update_VM", isInvoked: true, argumentsOf: (text) => ["Board", { Show: text }] },
		told: 2,
	},
	// A group: who has it told is no member.
	"slow-events": {
		path: HUB_PATH,
		join: { target: "join", isInvoked: true, argumentsOf: () => [] },
		joined: 1,
		tell: { target: "toGroup", isInvoked: true, argumentsOf: (text) => [text] },
		told: 1,
	},
};

function framesOf(call: Call, bytes: number): Buffer[] {
	return messagesOf(call, bytes, "json").map((text) => maskedFrame(Buffer.from(text, "base64"), false));
}

/** A client that reads one kilobyte a second of what it is told, and one at the app server that has it told. */
export class SlowReader {
	readonly #way: Way;
	readonly #slow: LoadConnection;
	readonly #teller: LoadConnection;
	readonly #large: readonly Buffer[];
	readonly #small: readonly Buffer[];
	readonly #timers: NodeJS.Timeout[] = [];
	#sent = 0;
	#tellerGot = 0;
	#isEnded = false;

	/** Connects both; `ready` is called when the slow one can be told. */
	constructor({ port, appPort }: NeighbourJob, kind: SlowKind, ready: () => void) {
		const way = WAYS[kind];
		this.#way = way;
		this.#large = framesOf(way.tell, LARGE_BYTES);
		this.#small = framesOf({ ...way.tell, isInvoked: false }, SMALL_BYTES);
		const [join] = framesOf(way.join, 0);
		if (!join) throw new Error("There is nothing to join with.");
		const job = { path: way.path, protocol: "json" } as const;
		this.#slow = new LoadConnection({ ...job, port, readBytes: READ_BYTES }, () => this.#slow.write(join));
		this.#slow.onFailed = () => {
			this.#isEnded = true;
		};
		let joined = 0;
		this.#slow.onMessages = (messages) => {
			joined += messages;
			if (joined < way.joined || this.#timers.length > 0) return;
			this.#pace();
			ready();
		};
		const isMember = kind === "slow-state";
		this.#teller = new LoadConnection({ ...job, port: appPort }, () => {
			if (isMember) this.#teller.write(join);
		});
		this.#teller.onMessages = (messages) => {
			this.#tellerGot += messages;
		};
	}

	get counts(): NeighbourCounts {
		return { sent: this.#sent, handled: 0, isEnded: this.#isEnded };
	}

	/** Has it told large messages, at most eight; says how many messages must have come back in all when that is done. */
	fill(messages: number): () => boolean {
		const frames = this.#large.slice(0, Math.min(messages, MOST_AT_ONCE));
		const wanted = this.#tellerGot + frames.length * this.#way.told;
		this.#sent += frames.length;
		this.#teller.write(Buffer.concat(frames));
		return () => this.#tellerGot >= wanted;
	}

	/** Has it told small ones from now on. */
	keepTelling(): void {
		this.#timers.push(
			setInterval(() => {
				const frame = this.#small[this.#sent++ % this.#small.length];
				if (frame) this.#teller.write(frame);
			}, TELL_EVERY_MS),
		);
	}

	end(): void {
		for (const timer of this.#timers) clearInterval(timer);
		for (const connection of [this.#slow, this.#teller]) connection.end();
	}

	#pace(): void {
		this.#slow.pace();
		this.#timers.push(setInterval(() => this.#slow.readOnce(), 1_000 / READS_PER_SECOND));
	}
}
