import { deferred } from "../../lib/base/index.js";

/** What has come to a client, and its end: the same whatever carries it. */
export abstract class ReceivingClient {
	readonly #parts: Buffer[] = [];
	#bytes = 0;
	#wake = deferred();
	readonly #ended = deferred();

	/** Resolves when the connection is over. */
	get ended(): Promise<void> {
		return this.#ended.promise;
	}

	get received(): Buffer {
		return Buffer.concat(this.#parts);
	}

	/** In how many pieces it came. */
	get pieces(): number {
		return this.#parts.length;
	}

	/** Resolves when so many bytes have come in all. */
	async arrived(bytes: number): Promise<void> {
		while (this.#bytes < bytes) await this.#wake.promise;
	}

	protected took(part: Buffer): void {
		this.#parts.push(part);
		this.#bytes += part.length;
		this.#wake.resolve();
		this.#wake = deferred();
	}

	protected isOver(): void {
		this.#ended.resolve();
	}
}
