import { HttpTransportType, type HubConnection, HubConnectionBuilder, LogLevel } from "@microsoft/signalr";
import { MessagePackHubProtocol } from "@microsoft/signalr-protocol-msgpack";
import { createViewModelHub, type ViewModelHubOptions } from "../../../lib/dotnetify/index.js";
import {
	acceptLinks,
	type ForwardingOptions,
	replicas,
	useForwarding,
} from "../../../lib/forwarding/index.js";
import { createHub, createServer, type Hub, type UndeliverableEvent } from "../../../lib/index.js";
import { SECRET } from "../support/scene.js";
import { Watch } from "../support/watch.js";

const HUB_PATH = "/dotnetify";
/** Turns of the event loop after which what is waited for will not come. */
const MOST_TURNS = 200_000;

/** A hub that listens, and what happened in it. */
export interface Place {
	readonly hub: Hub;
	readonly url: string;
	readonly port: number;
	readonly disconnected: string[];
	readonly undeliverable: UndeliverableEvent[];
	readonly debug: string[];
	/** Ends it in order. */
	stop(): Promise<void>;
}

/** A client that shows view models, as dotNetify's does: it merges what it is sent. */
export interface Page {
	readonly connection: HubConnection;
	readonly id: string;
	/** Whether its connection has ended. */
	readonly isClosed: boolean;
	/** What it shows of a view model. */
	shows(vmId: string): Readonly<Record<string, unknown>>;
	request(vmId: string): Promise<void>;
	update(vmId: string, values: object): Promise<void>;
}

/** App servers with view models, proxies before them, and pages; all in this process, over real sockets. */
export class Farm {
	readonly #watch = new Watch();
	readonly #opened: (() => Promise<unknown>)[] = [];

	/** Resolves when a condition holds that only what happens here can change. */
	until(test: () => boolean): Promise<void> {
		return this.#watch.until(test);
	}

	/** Resolves when a condition holds that nobody tells of: looks in each turn of the event loop. */
	async eventually(test: () => boolean): Promise<void> {
		for (let turns = 0; !test(); turns++) {
			if (turns > MOST_TURNS) throw new Error(`Waited in vain until ${test}`);
			await new Promise((resolve) => setImmediate(resolve));
		}
	}

	/** Something has happened of which nothing here knows. */
	changed(): void {
		this.#watch.changed();
	}

	/** An app server, again at `port` where that is given. */
	app(options: ViewModelHubOptions, port = 0): Promise<Place> {
		return this.place((log) => createViewModelHub({ log, ...options }), { port, takesLinks: true });
	}

	/** A proxy before replicas, which takes them in turn. */
	proxy(
		urls: readonly string[] | (() => readonly string[]),
		options: ForwardingOptions = {},
	): Promise<Place> {
		const list = replicas(urls, { pick: "round-robin", refreshMs: 20 });
		return this.place((log) => createHub()({ log }).use(this.forwarding(list, options)), {});
	}

	/** A proxy before another one, as the prebuilt one is made. */
	inner(url: string, port = 0): Promise<Place> {
		return this.place((log) => createViewModelHub({ log }).use(this.forwarding(url)), {
			port,
			takesLinks: true,
		});
	}

	forwarding(
		url: Parameters<typeof useForwarding>[0],
		options: ForwardingOptions = {},
	): ReturnType<typeof useForwarding> {
		const reconnect = { delaysMs: [0, 10], jitter: 0 };
		return useForwarding(url, { secret: SECRET, connectionPoolSize: 2, reconnect, ...options });
	}

	async place(
		make: (log: NonNullable<ViewModelHubOptions["log"]>) => Hub,
		{ port: wanted = 0, takesLinks = false }: { port?: number; takesLinks?: boolean },
	): Promise<Place> {
		const debug: string[] = [];
		const told = (): void => this.changed();
		const log = {
			info: told,
			warn: told,
			error: told,
			debug: (_: object, text: string) => void debug.push(text),
		};
		const hub = make(log);
		if (takesLinks) hub.use(acceptLinks({ secrets: [SECRET] }));
		const disconnected: string[] = [];
		const undeliverable: UndeliverableEvent[] = [];
		hub.on("connected", told);
		hub.on("disconnected", (_ctx, { kind }) => {
			disconnected.push(kind);
			this.changed();
		});
		hub.on("undeliverable", (event) => {
			undeliverable.push(event);
			this.changed();
		});
		const server = createServer().map(HUB_PATH, hub);
		const { port, url } = await server.listen(wanted, "127.0.0.1");
		const stop = (): Promise<void> => server.close();
		this.#opened.push(stop);
		return { hub, url, port, disconnected, undeliverable, debug, stop };
	}

	/** A page that has asked for view models. */
	async page({ url }: Place, vmIds: readonly string[], { messagepack = false } = {}): Promise<Page> {
		const builder = new HubConnectionBuilder()
			.withUrl(url + HUB_PATH, { skipNegotiation: true, transport: HttpTransportType.WebSockets })
			.configureLogging(LogLevel.None);
		if (messagepack) builder.withHubProtocol(new MessagePackHubProtocol());
		const connection = builder.build();
		const shown = new Map<string, Record<string, unknown>>();
		connection.on("Response_VM", ([vmId, text]: [string, string]) => {
			shown.set(vmId, { ...shown.get(vmId), ...JSON.parse(text) });
			this.changed();
		});
		let isClosed = false;
		connection.onclose(() => {
			isClosed = true;
			this.changed();
		});
		await connection.start();
		this.#opened.push(() => connection.stop());
		for (const vmId of vmIds) await connection.invoke("Request_VM", vmId, null);
		await this.until(() => vmIds.every((vmId) => shown.has(vmId)));
		return {
			connection,
			id: connection.connectionId ?? "",
			get isClosed() {
				return isClosed;
			},
			shows: (vmId) => shown.get(vmId) ?? {},
			request: (vmId) => connection.invoke("Request_VM", vmId, null),
			update: (vmId, values) => connection.invoke("Update_VM", vmId, values),
		};
	}

	/** Closes everything, last opened first. */
	async close(): Promise<void> {
		for (const close of this.#opened.splice(0).reverse()) await close();
	}
}
