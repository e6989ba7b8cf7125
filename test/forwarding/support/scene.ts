import assert from "node:assert/strict";
import { type HubConnection, HubConnectionBuilder, LogLevel } from "@microsoft/signalr";
import { MessagePackHubProtocol } from "@microsoft/signalr-protocol-msgpack";
import {
	type AcceptLinksOptions,
	acceptLinks,
	type ForwardingOptions,
	useForwarding as forwardTo,
} from "../../../lib/forwarding/index.js";
import {
	type Count,
	createHub,
	createServer,
	type Hub,
	type HubOptions,
	type ServerOptions,
	type UndeliverableEvent,
} from "../../../lib/index.js";
import { Relay } from "../../chaos/relay.js";
import { FakeApp } from "./fake-app.js";
import { Watch } from "./watch.js";

export const SECRET = "a secret of the tests, 32 letters";

/** What links speak: our own protocol, or dotNetify's, which only one of two ends need know. */
export type Wire = "native" | "dotNetify";

export const WIRES: readonly Wire[] = ["native", "dotNetify"];

/** A call as an app server's method (or a proxy's own) saw it. */
export interface Call {
	readonly client: string;
	readonly method: string;
	readonly vmId: unknown;
	readonly data: unknown;
}

/** A hub that listens somewhere, and what happened in it. */
export interface Station {
	readonly hub: Hub;
	readonly url: string;
	readonly port: number;
	readonly calls: Call[];
	readonly connected: string[];
	readonly disconnected: { readonly id: string; readonly kind: string }[];
	readonly undeliverable: UndeliverableEvent[];
	readonly logs: {
		readonly level: string;
		readonly message: string;
		readonly fields: Record<string, unknown>;
	}[];
	close(): Promise<void>;
}

/** How a station's hub is set up beside its recording methods. */
export interface StationOptions extends HubOptions {
	/** Called for each view-model call, before it is answered. */
	readonly onCall?: (call: Call, hub: Hub) => unknown;
	/** Called before the hub is mounted, to add extensions. */
	readonly setUp?: (hub: Hub) => void;
	readonly path?: string | undefined;
	/** Serves TLS. */
	readonly tls?: ServerOptions["tls"];
}

/** A client of `@microsoft/signalr` and what it was sent. */
export interface Client {
	readonly connection: HubConnection;
	readonly id: string;
	/** View-model id and data, parsed, of every `Response_VM`. */
	readonly responses: [vmId: unknown, data: unknown][];
	invoke(method: string, ...args: unknown[]): Promise<unknown>;
	stop(): Promise<void>;
}

/** Opens servers, relays and clients for one test, and closes all of them. */
export class Scene {
	readonly watch: Watch = new Watch();
	readonly #opened: (() => Promise<unknown>)[] = [];
	/** An option of both ends, and of no declaration: it is for tests. */
	readonly #wire: object;
	/** What an app server's method sees of a view model's data: dotNetify's wire carries it as text. */
	readonly data: (value: unknown) => unknown;

	/** Both ends of its links speak this wire, where a test does not say otherwise. */
	constructor(wire: Wire) {
		this.#wire = { nativeLinks: wire === "native" };
		this.data = wire === "native" ? (value) => value : (value) => JSON.stringify(value);
	}

	until(test: () => boolean): Promise<void> {
		return this.watch.until(test);
	}

	async station({ onCall, setUp, path, tls, ...options }: StationOptions = {}): Promise<Station> {
		const calls: Call[] = [];
		const logs: Station["logs"] = [];
		const at = (level: string) => (fields: object, message: string) => {
			logs.push({ level, message, fields: fields as Record<string, unknown> });
			this.watch.changed();
		};
		const record =
			(method: string) => async (ctx: { connectionId: string }, vmId: unknown, data: unknown) => {
				const call = { client: ctx.connectionId, method, vmId, data };
				calls.push(call);
				this.watch.changed();
				await onCall?.(call, hub);
			};
		const hub = createHub()({
			route: (_target, { first }) => (typeof first === "string" ? { vmId: first, root: first } : undefined),
			log: { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") },
			...options,
			methods: {
				Request_VM: (ctx, vmId: unknown, data: unknown) => record("Request_VM")(ctx, vmId, data),
				Update_VM: (ctx, vmId: unknown, data: unknown) => record("Update_VM")(ctx, vmId, data),
				Dispose_VM: (ctx, vmId: unknown) => record("Dispose_VM")(ctx, vmId, undefined),
				echo: (_ctx, value: unknown) => value,
			},
		});
		const { counters } = hub;
		const of = counters.of.bind(counters);
		counters.of = (name) => watched(of(name), () => this.watch.changed());
		setUp?.(hub);
		return this.#listen(hub, { path, tls }, { calls, logs });
	}

	/** An app server that takes links with {@link SECRET}. */
	app(options: StationOptions & { readonly accept?: AcceptLinksOptions } = {}): Promise<Station> {
		const { accept = { secrets: [SECRET] }, setUp, ...rest } = options;
		return this.station({
			...rest,
			setUp: (hub) => {
				hub.use(acceptLinks({ ...this.#wire, ...accept }));
				setUp?.(hub);
			},
		});
	}

	/** A proxy to one app server (or more, for copies). Reconnects at once, so that tests do not wait. */
	proxy(
		url: string | readonly string[],
		forwarding: ForwardingOptions = {},
		options: StationOptions = {},
	): Promise<Station> {
		return this.station({ ...options, setUp: (hub) => void hub.use(this.forwarding(url, forwarding)) });
	}

	forwarding(
		url: Parameters<typeof forwardTo>[0],
		options: ForwardingOptions = {},
	): ReturnType<typeof forwardTo> {
		const reconnect = { delaysMs: [0, 10], jitter: 0 };
		return forwardTo(url, { secret: SECRET, reconnect, ...this.#wire, ...options });
	}

	async fakeApp(): Promise<FakeApp> {
		const app = await FakeApp.open(this.watch);
		this.#opened.push(() => app.close());
		return app;
	}

	async relay(port: number): Promise<Relay> {
		const relay = await Relay.open(port);
		this.#opened.push(() => relay.close());
		return relay;
	}

	/** Resolves when a proxy has forwarded so many calls. */
	forwarded({ hub }: Station, count: number): Promise<void> {
		return this.until(() => hub.counters.get("forwarded") === count);
	}

	/** Closes it with everything else. */
	keep<T extends { close(): unknown }>(each: T): T {
		this.#opened.push(async () => each.close());
		return each;
	}

	/** Resolves when this many links of a proxy have come up. */
	links(proxy: Station, count: number): Promise<void> {
		return this.until(
			() => proxy.logs.filter(({ message }) => message === "An app server is reached.").length >= count,
		);
	}

	async client(
		url: string,
		options: { messagepack?: boolean; headers?: Record<string, string>; path?: string } = {},
	): Promise<Client> {
		const { messagepack = false, headers = {}, path = "/dotnetify" } = options;
		const builder = new HubConnectionBuilder()
			.withUrl(url + path, { headers })
			.configureLogging(LogLevel.None);
		if (messagepack) builder.withHubProtocol(new MessagePackHubProtocol());
		const connection = builder.build();
		const responses: Client["responses"] = [];
		connection.on("Response_VM", ([vmId, data]: [unknown, unknown]) => {
			responses.push([vmId, typeof data === "string" ? JSON.parse(data) : data]);
			this.watch.changed();
		});
		connection.onclose(() => this.watch.changed());
		await connection.start();
		this.#opened.push(() => connection.stop());
		return {
			connection,
			id: connection.connectionId as string,
			responses,
			invoke: (method, ...args) => connection.invoke(method, ...args),
			stop: () => connection.stop(),
		};
	}

	/** Closes everything, last opened first. */
	async close(): Promise<void> {
		for (const close of this.#opened.splice(0).reverse()) await close();
	}

	async #listen(
		hub: Hub,
		{ path = "/dotnetify", tls }: Pick<StationOptions, "path" | "tls">,
		{ calls, logs }: Pick<Station, "calls" | "logs">,
	): Promise<Station> {
		const connected: string[] = [];
		const disconnected: { id: string; kind: string }[] = [];
		const undeliverable: UndeliverableEvent[] = [];
		const keep = <T>(list: T[], item: T): void => {
			list.push(item);
			this.watch.changed();
		};
		hub.on("connected", ({ connectionId }) => keep(connected, connectionId));
		hub.on("disconnected", ({ connectionId: id }, { kind }) => keep(disconnected, { id, kind }));
		hub.on("undeliverable", (event) => keep(undeliverable, event));
		const server = createServer({ tls }).map(path, hub);
		const { url, port } = await server.listen(0, "127.0.0.1");
		let closed: Promise<void> | undefined;
		const close = (): Promise<void> => {
			closed ??= server.close();
			return closed;
		};
		this.#opened.push(close);
		return { hub, url, port, calls, logs, connected, disconnected, undeliverable, close };
	}
}

/** The numbers from 0 on. */
export function range(count: number): number[] {
	return Array.from({ length: count }, (_, at) => at);
}

/** What a client is told in place of a view model's response. */
export function failure(vmId: string, code: string): [vmId: unknown, data: unknown] {
	const Message = `The message could not be delivered (${code}).`;
	return [vmId, { ExceptionType: "ForwardingException", Message }];
}

/** The codes of what a station could not deliver. */
export function codesOf({ undeliverable }: Station): string[] {
	return undeliverable.map(({ code }) => code);
}

/** All that happened to messages is an event and a count of its code. */
export function assertCounted({ hub, undeliverable }: Station): void {
	assert.equal(hub.counters.get("undeliverable"), undeliverable.length);
	for (const { code } of undeliverable) {
		const count = undeliverable.filter((event) => event.code === code).length;
		assert.equal(hub.counters.get(`undeliverable.${code}`), count);
	}
}

/** A count whose changes are told. */
function watched(count: Count, changed: () => void): Count {
	return {
		get value() {
			return count.value;
		},
		set value(value) {
			count.value = value;
			changed();
		},
	};
}
