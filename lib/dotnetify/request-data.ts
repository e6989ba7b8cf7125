import type { ClientConnection, RetainedCall } from "../hub/index.js";
import { Arguments, RESTORE_METHOD } from "../protocols/index.js";
import { isRecord } from "./state/data.js";

type Fields = Readonly<Record<string, unknown>>;

/** What a `Request_VM` asks for beside the id. */
export interface RequestData {
	readonly headers: Fields | undefined;
	/** What to set before `onCreated`; empty where the client sent no object. */
	readonly vmArg: Fields;
	/** Picks among types of the same name. */
	readonly namespace: string | undefined;
}

/** Takes `$headers` out of a message's data, which may be anything. */
export function withoutHeaders(data: unknown): {
	readonly headers: Fields | undefined;
	readonly values: Fields;
} {
	if (!isRecord(data)) return { headers: undefined, values: {} };
	const { $headers: headers, ...values } = data;
	return { headers: isRecord(headers) ? headers : undefined, values };
}

/** Reads the data of a request: `$vmArg` where it is there, else everything that is not `$headers`. */
export function readRequest(data: unknown): RequestData {
	const { headers, values } = withoutHeaders(data);
	const { $vmArg: vmArg } = values;
	const given = Object.hasOwn(values, "$vmArg") ? vmArg : values;
	const entries = isRecord(given) ? Object.entries(given) : [];
	const namespace = entries.find(([name]) => isNamespace(name))?.[1];
	return {
		headers,
		vmArg: Object.fromEntries(entries.filter(([name]) => !isNamespace(name))),
		namespace: typeof namespace === "string" ? namespace : undefined,
	};
}

function isNamespace(name: string): boolean {
	return name.toLowerCase() === "namespace";
}

/**
 * The requests of one client whose view models it shows, for the case that this server forgets it: the proxy that holds
 * the client makes them again, in this order, with the headers that it sent last. Empty for a client that nobody holds.
 */
export class RetainedRequests {
	readonly #connection: ClientConnection;
	/** What each of them said, without headers. */
	#requests: Map<string, { readonly target: string; readonly values: Fields }> | undefined;

	constructor(connection: ClientConnection) {
		this.#connection = connection;
	}

	get size(): number {
		return this.#requests?.size ?? 0;
	}

	/** A request has succeeded. */
	add(vmId: string, call: RetainedCall, data: unknown): void {
		if (!this.#connection.isRetaining) return;
		this.#requests ??= new Map();
		this.#requests.set(vmId, { target: call.target, values: withoutHeaders(data).values });
		this.#connection.retain(vmId, call);
	}

	/**
	 * The request of a view model is made again with a state from now on, by a method that no client can call. Where that
	 * is too large to be kept, the plain request stays.
	 */
	addState(vmId: string, state: string, headers: Fields): void {
		const request = this.#requests?.get(vmId);
		if (!request) return;
		const $headers = Object.keys(headers).length > 0 ? { $headers: headers } : {};
		const args = Arguments.of([vmId, { ...request.values, ...$headers }, state]);
		this.#connection.retain(vmId, { target: RESTORE_METHOD, arguments: args });
	}

	/** The client has other headers from now on: with the former ones it might be nobody by then. */
	refresh(headers: Fields): void {
		for (const [vmId, { target, values }] of this.#requests ?? []) {
			const args = Arguments.of([vmId, { ...values, $headers: headers }]);
			this.#connection.retain(vmId, { target, arguments: args });
		}
	}

	/** It is not to be made again, whoever has retained it. */
	remove(vmId: string): void {
		this.#requests?.delete(vmId);
		this.#connection.forget(vmId);
	}
}
