import { isWithin } from "../../protocols/index.js";
import type { ForwardedMessage } from "./forwarded-message.js";
import { headersTextOf, withHeaders } from "./renewed-headers.js";

/** View models of one client that are asked for again; as many as an app server lets it hold by default. */
const MAX_PER_CLIENT = 100;
/** Largest request that is kept, in bytes of its arguments, and the longest `$headers` as JSON. */
const MAX_REQUEST_BYTES = 16 * 1024;

/** How much all clients of an app server may keep. */
export interface RetainedBudget {
	/** Bytes that may still be kept. */
	left: number;
}

/**
 * The requests of one client whose view models it still shows. When a link is lost, what was pushed on it may be lost
 * with it, and an app server that comes back may have forgotten everything: asked again, it answers with the whole
 * state, which stock clients merge. All of them are made with the `$headers` that the client sent last: with the token
 * of its first request it might be nobody by then. In memory only, bounded, and never logged.
 */
export class Retained {
	readonly #budget: RetainedBudget;
	readonly #requests = new Map<string, ForwardedMessage>();
	/** As JSON text. */
	#headers: string | undefined;

	constructor(budget: RetainedBudget) {
		this.#budget = budget;
	}

	/** In the order in which they were first made: a master stands before what is inside it. */
	get requests(): readonly ForwardedMessage[] {
		const [kept, headers] = [[...this.#requests.values()], this.#headers];
		return headers === undefined ? kept : kept.map((request) => withHeaders(request, headers));
	}

	/** A message is on its way: what the client no longer wants is not asked for again. */
	forwarded({ kind, vmId }: ForwardedMessage): void {
		if (kind === "disconnect") this.#clear();
		else if (kind === "dispose" && vmId !== undefined) this.#drop(vmId);
	}

	/** A message has been processed. Until then a request is sent again anyway, at its place in the order. */
	confirmed(message: ForwardedMessage): void {
		const { kind, vmId } = message;
		if (vmId === undefined || message.isReplay) return;
		const headers = headersTextOf(message);
		if (headers !== undefined) this.#keepHeaders(headers);
		if (kind === "request") this.#keep(vmId, message);
		else if (kind === "dispose") this.#drop(vmId);
	}

	#clear(): void {
		for (const { bytes } of this.#requests.values()) this.#budget.left += bytes;
		this.#requests.clear();
		this.#budget.left += this.#headers?.length ?? 0;
		this.#headers = undefined;
	}

	#keepHeaders(headers: string): void {
		const known = this.#headers?.length ?? 0;
		if (headers.length > MAX_REQUEST_BYTES || headers.length - known > this.#budget.left) return;
		this.#budget.left += known - headers.length;
		this.#headers = headers;
	}

	#keep(vmId: string, message: ForwardedMessage): void {
		const known = this.#requests.get(vmId)?.bytes ?? 0;
		const isFull = known === 0 && this.#requests.size >= MAX_PER_CLIENT;
		if (isFull || message.bytes > MAX_REQUEST_BYTES || message.bytes - known > this.#budget.left) return;
		this.#budget.left += known - message.bytes;
		this.#requests.set(vmId, { ...message, completer: undefined, isCopy: true, isReplay: true });
	}

	#drop(vmId: string): void {
		for (const [id, { bytes }] of this.#requests) {
			if (!isWithin(id, vmId)) continue;
			this.#requests.delete(id);
			this.#budget.left += bytes;
		}
	}
}
