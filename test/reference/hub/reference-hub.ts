import {
	type ConnectionContext,
	createHub,
	createServer,
	type Hub,
	HubException,
	type HubExtension,
	type HubOptions,
} from "../../../lib/index.js";
import { Journal } from "./journal.js";
import { addressingMethods, askingMethods, journalMethods, plainMethods, secret } from "./methods.js";
import { downloads, uploads } from "./streams.js";

/** The hubs by path, with what sets them apart; the same as in C#. */
const HUBS: Readonly<Record<string, HubOptions>> = {
	"/hub": {},
	"/detailed": { detailedErrors: true },
	"/parallel": { maximumParallelInvocations: 2 },
	"/hasty": {
		handshakeTimeoutMs: 300,
		keepAliveIntervalMs: 100,
		clientTimeoutMs: 600,
		longPollTimeoutMs: 100,
		disconnectTimeoutMs: 600,
	},
	"/websockets": { transports: ["WebSockets"] },
	"/stateful": { allowStatefulReconnects: true },
	// Acks go with the heartbeat: four in a keep-alive interval, one in a second at least.
	"/acknowledging": { allowStatefulReconnects: true, keepAliveIntervalMs: 400 },
};

/** A running server that the contract suite can talk to. */
export interface RunningHub {
	readonly url: string;
	close(): Promise<void>;
}

/** Starts the twin of the C# hub on our library; each hub uses what `extension` makes. */
export async function startReferenceHub(extension?: () => HubExtension): Promise<RunningHub> {
	const journal = new Journal();
	return startHubs((options) => {
		const hub = referenceHub(journal, options);
		return extension ? hub.use(extension()) : hub;
	});
}

/** Starts a hub at each of the paths, on a free port of 127.0.0.1. */
export async function startHubs(hubAt: (options: HubOptions, path: string) => Hub): Promise<RunningHub> {
	const server = createServer();
	for (const [path, options] of Object.entries(HUBS)) server.map(path, hubAt(options, path));
	const { url } = await server.listen(0, "127.0.0.1");
	return { url, close: () => server.close() };
}

/** Who a client says it is. */
export const authenticate: NonNullable<HubOptions["authenticate"]> = ({ headers }) => {
	const id = headers["x-user"];
	return typeof id === "string" ? { id } : undefined;
};

/** One of the hubs. */
export function referenceHub(journal: Journal, options: HubOptions): Hub {
	const hub = createHub()({
		...options,
		authenticate,
		methods: {
			...plainMethods,
			...journalMethods(journal),
			...downloads(journal),
			...uploads(journal),
			...askingMethods,
			...addressingMethods,
		},
	});
	hub.on("connected", (ctx) => connected(journal, ctx));
	hub.on("disconnected", ({ connectionId }, { error }) =>
		journal.note(connectionId, `disconnected: ${error?.message ?? "in order"}`),
	);
	return hub;
}

async function connected(journal: Journal, ctx: ConnectionContext): Promise<void> {
	const { query } = ctx.connection.request;
	journal.note(ctx.connectionId, "connected");
	const scope = query.get("scope");
	if (scope !== null) journal.note(scope, ctx.connectionId);
	if (query.has("welcome")) await ctx.clients.caller.send("said", "welcome");
	const gate = query.get("gate");
	if (gate !== null) await journal.gate(gate).promise;
	const refusal = query.get("refuse");
	if (refusal !== null) throw new HubException(refusal);
	if (query.has("break")) throw secret();
}
