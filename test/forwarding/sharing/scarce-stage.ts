import assert from "node:assert/strict";
import { acceptLinks, useForwarding } from "../../../lib/forwarding/index.js";
import { createHub, createServer, type Hub, type HubOptions, type LinkStatus } from "../../../lib/index.js";
import { Relay } from "../../chaos/relay.js";
import type { Direction } from "../../chaos/relayed-connection.js";
import { RawClient } from "../../hub/live.js";
import { SECRET } from "../support/scene.js";

const PATH = "/hub";
/** Of both ends. */
export const WINDOW_BYTES: number = 32 * 1_024;
export const SHARE_BYTES = 512;
/** What is sent with each message, and about how many bytes that makes. */
export const PAD: string = "x".repeat(400);
export const MESSAGE_BYTES = 500;

/** What a test wants else than by default. */
export interface StageOptions {
	readonly proxy?: HubOptions;
	readonly maxQueuedBytes?: number | undefined;
	readonly recovery?: "reopen" | "close" | undefined;
	readonly maxWaitingPerClient?: number;
}

interface AppOptions extends Pick<StageOptions, "recovery"> {
	readonly calls: [client: unknown, number: unknown][];
	readonly gate?: Promise<void> | undefined;
}

/** A hub that notes its calls, and ends them when a gate is open. */
function appHub({ calls, gate, recovery }: AppOptions): Hub {
	const methods = {
		take: (_ctx: unknown, client: unknown, number: unknown, _pad: unknown) => {
			calls.push([client, number]);
			return gate;
		},
		large: (_ctx: unknown, bytes: unknown) => "y".repeat(bytes as number),
		push: (ctx: { connectionId: string }, count: unknown) => {
			const client = hub.clients.client(ctx.connectionId);
			for (let at = 0; at < (count as number); at++) void client.send("pushed", at, PAD);
		},
	};
	const hub = createHub()({ methods, recovery, maxBufferedBytes: 2 * WINDOW_BYTES }) as unknown as Hub;
	return hub;
}

/** An app server that takes calls when a gate is open, a relay, and a proxy with a small window. */
export class Stage {
	readonly relay: Relay;
	readonly app: Hub;
	readonly proxy: Hub;
	/** Calls in the order in which they were made, by client and number. */
	readonly calls: [client: unknown, number: unknown][];
	readonly #port: number;
	readonly #closing: (() => Promise<unknown>)[] = [];
	readonly #clients: RawClient[] = [];

	private constructor(parts: Pick<Stage, "relay" | "app" | "proxy" | "calls">, port: number) {
		this.relay = parts.relay;
		this.app = parts.app;
		this.proxy = parts.proxy;
		this.calls = parts.calls;
		this.#port = port;
	}

	static async open(options: StageOptions = {}, gate?: Promise<void>): Promise<Stage> {
		const { maxWaitingPerClient, maxQueuedBytes, recovery } = options;
		const calls: Stage["calls"] = [];
		const app = appHub({ calls, gate, recovery });
		app.use(acceptLinks({ secrets: [SECRET], windowBytes: WINDOW_BYTES, maxWaitingPerClient }));
		const appServer = createServer().map(PATH, app);
		const relay = await Relay.open((await appServer.listen(0, "127.0.0.1")).port);
		const links = { secret: SECRET, connectionPoolSize: 2, reconnect: { delaysMs: [0, 10], jitter: 0 } };
		const window = { windowBytes: WINDOW_BYTES, windowShareBytes: SHARE_BYTES, maxQueuedBytes };
		const proxy = createHub()(options.proxy ?? {}) as unknown as Hub;
		proxy.use(useForwarding(relay.url, { ...links, ...window }));
		const server = createServer().map(PATH, proxy);
		const { port } = await server.listen(0, "127.0.0.1");
		const stage = new Stage({ relay, app, proxy, calls }, port);
		for (const each of [server, relay, appServer]) stage.#closing.push(() => each.close());
		return stage;
	}

	/** Another app server takes the place of this one. Answers the calls that it gets. */
	async replace(): Promise<Stage["calls"]> {
		const calls: Stage["calls"] = [];
		const next = appHub({ calls, recovery: "reopen" });
		next.use(acceptLinks({ secrets: [SECRET] }));
		const server = createServer().map(PATH, next);
		this.#closing.push(() => server.close());
		this.relay.targets = [(await server.listen(0, "127.0.0.1")).port];
		this.relay.cut();
		return calls;
	}

	async client(): Promise<RawClient> {
		const client = await RawClient.open(this.#port, PATH);
		this.#clients.push(client);
		await client.handshake();
		return client;
	}

	/** Both links are up: those that come later would not be held. */
	get isReady(): boolean {
		return this.proxy.links()[0]?.links === 2;
	}

	/** Nothing comes through any more, in these directions or in both. */
	hold(...directions: readonly Direction[]): void {
		for (const connection of this.relay.connections) connection.hold(...directions);
	}

	/** What was held comes through. */
	pass(): void {
		for (const connection of this.relay.connections) connection.pass();
	}

	status(end: "app" | "proxy"): LinkStatus {
		const [status] = this[end].links();
		assert.ok(status);
		return status;
	}

	async close(): Promise<void> {
		for (const { webSocket } of this.#clients) webSocket.terminate();
		for (const close of this.#closing) await close();
	}
}
