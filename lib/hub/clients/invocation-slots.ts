import { deferred, Fifo } from "../../base/index.js";
import type { InvocationMessage } from "../../protocols/index.js";
import type { ClientConnection } from "./client-connection.js";
import type { ClientHost } from "./client-host.js";

interface Waiting {
	readonly message: InvocationMessage;
	started(): void;
}

/**
 * The invocations of one client that may run at a time, `maximumParallelInvocations` of them; the others wait, in
 * order. Made with the client's first invocation.
 */
export class InvocationSlots {
	readonly #client: ClientConnection;
	readonly #host: ClientHost;
	#waiting: Fifo<Waiting> | undefined;
	#running = 0;
	/** Calls that run and have given their slot up. */
	#slotless = 0;

	constructor(client: ClientConnection, host: ClientHost) {
		this.#client = client;
		this.#host = host;
	}

	/** Calls that run and have a slot, or are between two. */
	get running(): number {
		return this.#running;
	}

	/** Runs an invocation: now, or when it has a slot, as the returned promise tells. */
	take(message: InvocationMessage): Promise<void> | undefined {
		if (this.#running < this.#host.maximumParallelInvocations && !this.#waiting?.length) {
			this.#run(message);
			return undefined;
		}
		const { promise, resolve } = deferred();
		this.#waiting ??= new Fifo();
		this.#waiting.push({ message, started: resolve });
		return promise;
	}

	/**
	 * A running call lets the next one start. False where as many have done so already as may, and have not ended: see
	 * {@link ClientConnection.releaseSlot}.
	 */
	release(): boolean {
		if (this.#slotless >= this.#host.maxPendingClientResults) return false;
		this.#slotless++;
		this.#running--;
		this.#startNext();
		return true;
	}

	/** Those that wait are not started any more. */
	dropWaiting(): void {
		for (const waiting of this.#waiting ?? []) waiting.started();
		this.#waiting = undefined;
	}

	#run(message: InvocationMessage): void {
		this.#running++;
		const ran = this.#host.dispatch(this.#client, message);
		if (typeof ran === "boolean") this.#ran(ran);
		else void ran.then((hasSlot) => this.#ran(hasSlot));
	}

	#ran(hasSlot: boolean): void {
		if (hasSlot) this.#running--;
		else this.#slotless--;
		this.#startNext();
	}

	#startNext(): void {
		if (this.#running >= this.#host.maximumParallelInvocations) return;
		const next = this.#waiting?.shift();
		if (!next) return;
		this.#run(next.message);
		next.started();
	}
}
