import { createViewModelHub } from "../../../lib/dotnetify/index.js";
import { acceptLinks, type ForwardingOptions, useForwarding } from "../../../lib/forwarding/index.js";
import { createServer, type Hub, type HubOptions, type Server } from "../../../lib/index.js";

export const HUB_PATH = "/dotnetify";
const SECRET = "a secret that only tests know";

/** Which wire an end of a link can speak. */
interface Wire {
	/** `false` for dotNetify's alone. @defaultValue true */
	readonly nativeLinks?: boolean;
}

/** One way from clients to an app server. */
export interface SetUp {
	readonly name: string;
	/** The proxies on the way, the one next to the app server first. */
	readonly hops: readonly (ForwardingOptions & Wire)[];
	/** What links the app server takes. */
	readonly accepts?: Wire;
}

export const DIRECT: SetUp = { name: "direct", hops: [] };
export const ONE_PROXY: SetUp = { name: "a proxy", hops: [{}] };
export const CHAINED: SetUp = { name: "two chained proxies", hops: [{}, {}] };

/** The proxy offers native links, and is refused. */
export const DOTNETIFY_PROXY: SetUp = {
	name: "a proxy with dotNetify's json links",
	hops: [{ useMessagePack: false }],
	accepts: { nativeLinks: false },
};

/** Links of a proxy that offers no others, as one in ASP.NET. */
const JSON_LINKS = { nativeLinks: false, useMessagePack: false };
const MESSAGEPACK_LINKS = { nativeLinks: false, useMessagePack: true };

/** Every way that the stock clients are tested on. */
export const SET_UPS: readonly SetUp[] = [
	DIRECT,
	ONE_PROXY,
	CHAINED,
	DOTNETIFY_PROXY,
	{ name: "two chained proxies with dotNetify's links", hops: [MESSAGEPACK_LINKS, JSON_LINKS] },
	{ name: "two chained proxies, one with dotNetify's links", hops: [MESSAGEPACK_LINKS, {}] },
];

/** A hub on a server of its own, which can be stopped and started again on the same port. */
export class Node {
	readonly #make: () => Hub;
	#hub: Hub;
	#server: Server | undefined;
	#port = 0;

	constructor(make: () => Hub) {
		this.#make = make;
		this.#hub = make();
	}

	get hub(): Hub {
		return this.#hub;
	}

	get port(): number {
		return this.#port;
	}

	/** `http://127.0.0.1:port` */
	get origin(): string {
		return `http://127.0.0.1:${this.#port}`;
	}

	/** Where clients connect. */
	get url(): string {
		return this.origin + HUB_PATH;
	}

	async start(): Promise<this> {
		this.#server = createServer().map(HUB_PATH, this.#hub);
		const { port } = await this.#server.listen(this.#port, "127.0.0.1");
		this.#port = port;
		return this;
	}

	async stop(): Promise<void> {
		const server = this.#server;
		this.#server = undefined;
		await server?.close();
	}

	/** A new hub on the port of the old one: what a restarted process looks like from outside. */
	async restart(): Promise<void> {
		await this.stop();
		this.#hub = this.#make();
		await this.start();
	}
}

/** How to open a {@link SetUp}. */
export interface OpenOptions {
	/** Makes the app server's hub. */
	readonly app: (options: HubOptions) => Hub;
	/** For the hubs of the app server and of all proxies. */
	readonly hubOptions?: HubOptions;
	/** For the hubs that clients connect to. */
	readonly doorOptions?: HubOptions;
	/** For all links. */
	readonly forwarding?: ForwardingOptions;
}

/** An app server, and proxies before it where the set-up has any. */
export class Topology {
	readonly app: Node;
	/** What clients connect to: the app server itself, or two proxies that know nothing of each other. */
	readonly doors: readonly Node[];
	/** All nodes, clients' side first. */
	readonly nodes: readonly Node[];

	private constructor(app: Node, inner: readonly Node[], doors: readonly Node[]) {
		this.app = app;
		this.doors = doors;
		this.nodes = [...new Set([...doors, ...[...inner].reverse(), app])];
	}

	static async open({ hops, accepts }: SetUp, options: OpenOptions): Promise<Topology> {
		const { app: makeApp, hubOptions, doorOptions, forwarding } = options;
		const last = hops.at(-1);
		const appOptions = { ...hubOptions, ...(!last && doorOptions) };
		const accepting = { secrets: [SECRET], ...accepts };
		const app = await new Node(() => makeApp(appOptions).use(acceptLinks(accepting))).start();
		if (!last) return new Topology(app, [], [app]);
		const startProxy = (next: Node, hop: ForwardingOptions, own?: HubOptions): Promise<Node> =>
			new Node(() => makeProxy(next.origin, { ...hubOptions, ...own }, { ...hop, ...forwarding })).start();
		const inner: Node[] = [];
		for (const hop of hops.slice(0, -1)) inner.push(await startProxy(inner.at(-1) ?? app, hop));
		const next = inner.at(-1) ?? app;
		const doors = [await startProxy(next, last, doorOptions), await startProxy(next, last, doorOptions)];
		return new Topology(app, inner, doors);
	}

	/** The door of the client with this number: neighbours come through different ones. */
	door(number: number): Node {
		return this.doors[number % this.doors.length] as Node;
	}

	async close(): Promise<void> {
		for (const node of this.nodes) await node.stop();
	}
}

/** A proxy as the prebuilt one makes it; it takes links itself, so that it can stand anywhere in a chain. */
function makeProxy(url: string, options: HubOptions, forwarding: ForwardingOptions): Hub {
	const reconnect = { delaysMs: [0, 50, 100] };
	return createViewModelHub(options)
		.use(acceptLinks({ secrets: [SECRET] }))
		.use(useForwarding(url, { connectionPoolSize: 2, secret: SECRET, reconnect, ...forwarding }));
}
