// The server under fire: a process of its own. It tells its parent its port, then every fault, and its state when asked.

import { acceptLinks, useForwarding } from "../../lib/forwarding/index.js";
import {
	type ClientIdentity,
	createHub,
	createServer,
	type Hub,
	type InvocationContext,
	type Log,
	method,
} from "../../lib/index.js";
import { Arguments, MessageType } from "../../lib/protocols/index.js";
import {
	CRASH_TARGET,
	HUB_PATH,
	LINKS_PATH,
	PROXY_PATH,
	type ServerReport,
	type ServerState,
} from "./report.js";

const HOST = "127.0.0.1";
const IDENTITY: Omit<ClientIdentity, "connectionId"> = {
	...{ user: undefined, transport: "WebSockets", protocolName: "json" },
	request: {
		...{ method: "GET", url: "/fuzz", path: "/fuzz", query: new URLSearchParams(), headers: {} },
		...{ remoteAddress: HOST, remotePort: 1, localAddress: HOST, localPort: 2, ip: HOST, ips: [] },
		...{ protocol: "http", secure: false, host: HOST },
	},
};
/** Short, so that what was given up half-way is gone when the parent looks. */
const SHORT_MS = 1_000;
const MOST_ITEMS = 50;
const COLLECTIONS = 3;

function tell(report: ServerReport): void {
	process.send?.(report);
}

/** What a method throws is its own; every other error of the hub is a fault. */
const EXPECTED = "An invocation failed.";

const log: Log = {
	debug: () => {},
	info: () => {},
	warn: () => {},
	error: (fields, message) => {
		if (message !== EXPECTED) tell({ fault: `logged: ${message} ${describe(fields)}` });
	},
};

function describe(fields: object): string {
	return Object.entries(fields)
		.map(
			([name, value]) => `${name}=${value instanceof Error ? (value.stack ?? value.message) : String(value)}`,
		)
		.join(" ");
}

type Client = Record<string, (...parameters: readonly unknown[]) => unknown>;
type Context = InvocationContext<Client>;

/** Names an object of `name` and `age`, and nothing else. */
const person = {
	"~standard": {
		version: 1,
		vendor: "test",
		validate(value: unknown) {
			const isPerson = typeof value === "object" && value !== null && "name" in value && "age" in value;
			return isPerson ? { value } : { issues: [{ message: "not a person" }] };
		},
	},
} as const;

async function* count(_ctx: Context, to: unknown): AsyncGenerator<number> {
	for (let at = 0; at < Math.min(Number(to), MOST_ITEMS); at++) yield at;
}

async function* doubled(items: AsyncIterable<unknown>): AsyncGenerator<unknown> {
	for await (const item of items) yield [item, item];
}

async function lengthOf(items: AsyncIterable<unknown>): Promise<number> {
	let length = 0;
	for await (const _ of items) length++;
	return length;
}

const OPTIONS = {
	...{ log, handshakeTimeoutMs: SHORT_MS, disconnectTimeoutMs: SHORT_MS, clientResultTimeoutMs: 100 },
	...{ maxConnectsPerSecond: null, allowStatefulReconnects: true },
	methods: {
		echo: (_ctx: Context, value: unknown) => value,
		add: (_ctx: Context, a: unknown, b: unknown) => Number(a) + Number(b),
		fail: () => {
			throw new Error("as it should");
		},
		// What no mutation makes: proves that a fault is seen.
		[CRASH_TARGET]: () => {
			setImmediate(() => {
				throw new Error("on purpose");
			});
		},
		join: (ctx: Context, group: unknown) => ctx.groups.add(ctx.connectionId, String(group)),
		leave: (ctx: Context, group: unknown) => ctx.groups.remove(ctx.connectionId, String(group)),
		tell: (ctx: Context, text: unknown) => ctx.clients.group("room").send("told", text),
		ask: (ctx: Context) => ctx.clients.client(ctx.connectionId).invoke("asked"),
		checked: method({ args: [person] }, (_ctx: Context, value: unknown) => value),
		count,
		sum: method({ streams: 1 }, (_ctx: Context, items: AsyncIterable<unknown>) => lengthOf(items)),
		double: method({ streams: 1, stream: true }, (_ctx: Context, items: AsyncIterable<unknown>) =>
			doubled(items),
		),
	},
};
const hub = createHub<Client>()(OPTIONS);
const app = createHub<Client>()(OPTIONS);
app.use(acceptLinks({ trusted: [HOST], proxyGraceMs: SHORT_MS, maxClientsPerProxy: 100 }));
const proxy = createHub()({ log, handshakeTimeoutMs: SHORT_MS });
const server = createServer().map(HUB_PATH, hub).map(LINKS_PATH, app).map(PROXY_PATH, proxy);

/** The proxy whose app server misbehaves; its clients are none of the counted ones. */
let fuzzed: Hub | undefined;

function forwardTo(url: string | null): void {
	void fuzzed?.close({ timeoutMs: 0 });
	fuzzed = undefined;
	if (url === null) return;
	const made = createHub()({
		log,
		route: (_target, { first }) => ({ vmId: String(first), root: String(first) }),
	});
	fuzzed = made;
	made.use(useForwarding(url, { ...LINKS, connectionPoolSize: 1, reconnect: { delaysMs: [0] } }));
	made.observe({ linkUp: () => setImmediate(() => populate(made)) });
}

/** Clients that call, so that there is something to answer. */
function populate(made: Hub): void {
	if (made.isClosing) return;
	for (const [at, connectionId] of ["f1", "f2", "f3"].entries()) {
		const known = made.lifetime.get(connectionId);
		const client = known ?? made.open({ ...IDENTITY, connectionId }, { send: () => {}, close: () => {} });
		const call = { target: at === 0 ? "Request_VM" : "echo", arguments: Arguments.of(["Chat"]) };
		void client.receive({ type: MessageType.Invocation, invocationId: "1", ...call });
		const stream = { target: "count", arguments: Arguments.of([5]) };
		void client.receive({ type: MessageType.StreamInvocation, invocationId: "2", ...stream });
	}
}

function polluted(): boolean {
	return "polluted" in {};
}

async function state(): Promise<ServerState> {
	for (let k = 0; k < COLLECTIONS; k++) {
		await new Promise((resolve) => setImmediate(resolve));
		globalThis.gc?.();
	}
	const { heapUsed, external } = process.memoryUsage();
	const sockets = await new Promise<number>((resolve) =>
		server.http.getConnections((_error, open) => resolve(open)),
	);
	const clients = hub.lifetime.size + app.lifetime.size + proxy.lifetime.size;
	return { clients, sockets, heapBytes: heapUsed + external, isPolluted: polluted() };
}

process.on("unhandledRejection", (reason) => tell({ fault: `unhandled rejection: ${describe({ reason })}` }));
process.on("uncaughtException", (error) => tell({ fault: `uncaught exception: ${describe({ error })}` }));
process.on("disconnect", () => process.exit());
process.on("message", (asked: { readonly forwardTo?: string | null }) => {
	if (asked.forwardTo !== undefined) forwardTo(asked.forwardTo);
	else void state().then((found) => tell({ state: found }));
});
const { port } = await server.listen(0, HOST);
const LINKS = {
	connectionPoolSize: 2,
	reconnect: { delaysMs: [0, 10], jitter: 0 },
	sessionTimeoutMs: SHORT_MS,
};
proxy.use(useForwarding(`http://${HOST}:${port}${LINKS_PATH}`, LINKS));
tell({ port });
