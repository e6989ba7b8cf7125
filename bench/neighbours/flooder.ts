import { LoadConnection } from "../load/connection.js";
import { maskedFrame } from "../load/frames.js";
import { type Call, messagesOf } from "../messages.js";
import { HUB_PATH } from "../subject/role.js";
import type { NeighbourCounts } from "./job.js";

const MESSAGE_BYTES = 150;
/** Messages of one write, each in a frame of its own; the last one is answered, which tells that all were handled. */
const BATCH = 100;
const MOST_PER_MS = 100;
/** What a late timer may make good. */
const MOST_BATCHES_AT_ONCE = 10;
/** More is not left to wait in this process: the socket takes what it can. */
const MOST_WAITING_BYTES = 64 * 1024;

const SEND: Call = { target: "echo", isInvoked: false, argumentsOf: (text) => [text] };
const INVOKE: Call = { ...SEND, isInvoked: true };

function batchOf(): Buffer {
	const frames = (call: Call): Buffer[] =>
		messagesOf(call, MESSAGE_BYTES, "json").map((text) => maskedFrame(Buffer.from(text, "base64"), false));
	const sends = frames(SEND);
	const many = Array.from({ length: BATCH - 1 }, (_, at) => sends[at % sends.length] ?? Buffer.alloc(0));
	return Buffer.concat([...many, ...frames(INVOKE).slice(0, 1)]);
}

/** A client that sends as fast as its socket takes it, up to 100,000 messages a second. */
export class Flooder {
	readonly #connection: LoadConnection;
	readonly #batch = batchOf();
	#timer: NodeJS.Timeout | undefined;
	#sentBatches = 0;
	#handledBatches = 0;
	#isEnded = false;
	#allowance = 0;
	#last = 0;

	/** Connects to a hub with the method `echo`, and begins; `handled` is called when the first messages were. */
	constructor(port: number, handled: () => void) {
		this.#connection = new LoadConnection({ port, path: HUB_PATH, protocol: "json" }, () => {
			this.#last = performance.now();
			this.#timer = setInterval(() => this.#flood(), 1);
		});
		this.#connection.onMessages = (answers) => {
			if (this.#handledBatches === 0) handled();
			this.#handledBatches += answers;
		};
		this.#connection.onFailed = () => {
			this.#isEnded = true;
			this.stop();
		};
	}

	get counts(): NeighbourCounts {
		return {
			...{ sent: this.#sentBatches * BATCH, handled: this.#handledBatches * BATCH },
			isEnded: this.#isEnded,
		};
	}

	/** Sends no more. */
	stop(): void {
		clearInterval(this.#timer);
	}

	end(): void {
		this.stop();
		this.#connection.end();
	}

	#flood(): void {
		const now = performance.now();
		const due = this.#allowance + ((now - this.#last) * MOST_PER_MS) / BATCH;
		this.#last = now;
		this.#allowance = Math.min(MOST_BATCHES_AT_ONCE, due);
		while (this.#allowance >= 1 && this.#connection.waitingBytes < MOST_WAITING_BYTES) {
			this.#connection.write(this.#batch);
			this.#allowance--;
			this.#sentBatches++;
		}
	}
}
