// A server under test: a process of its own, told what to be by its first parameter, asked by messages of its parent.
import { WebSocketServer } from "ws";
import { createViewModelHub, MulticastViewModel, ViewModel } from "../../lib/dotnetify/index.js";
import { acceptLinks, type ForwardingOptions, useForwarding } from "../../lib/forwarding/index.js";
import { createHub, createServer, type InvocationContext } from "../../lib/index.js";
import { startRawEcho } from "./raw-echo.js";
import { answerRequests, linkIsUp, watchClients } from "./requests.js";
import {
	type AppServerRole,
	CARD,
	HUB_PATH,
	OWN_HUB_PATH,
	type ProxyRole,
	type SubjectRole,
	VIEW_MODEL_PATH,
} from "./role.js";
import { startWsRelay } from "./ws-relay.js";

const HOST = "127.0.0.1";
const GROUP = "everybody";
/** Long enough that no ping comes during a measurement: every message that the load counts is an answer. */
const KEEP_ALIVE_INTERVAL_MS = 600_000;
const LISTEN_BACKLOG = 4096;
const SETTINGS = { keepAliveIntervalMs: KEEP_ALIVE_INTERVAL_MS, maxConnectsPerSecond: null };

/** One property is written, another one that depends on it comes back. */
class Echo extends ViewModel {
	Text = "";

	get Answer(): string {
		return this.Text;
	}
}

/** A little of everything, and which process has made it. */
class Card extends ViewModel {
	readonly Life = process.pid;
	Name = "Ada Lovelace";
	Count = 0;
	Items = [
		{ Id: 1, Text: "one" },
		{ Id: 2, Text: "two" },
		{ Id: 3, Text: "three" },
	];

	get Greeting(): string {
		return `Hello, ${this.Name}!`;
	}
}

/** One text that everybody sees. */
class Board extends MulticastViewModel {
	Text = "";

	/** Shows another text. */
	Show(text: string): void {
		this.Text = text;
		this.pushUpdates();
	}
}

type Answers = {
	Response_VM(response: readonly [vmId: string, data: string]): void;
	/** {@link PUSH_TARGET} */
	pushed(text: string): void;
};
type Context = InvocationContext<Answers>;

function secrets(): string[] {
	const { LINK_SECRET } = process.env;
	return LINK_SECRET === undefined ? [] : [LINK_SECRET];
}

/** The same methods as what the servers of other makers are measured with. `Response_VM` is what crosses every link, `pushed` the native one. */
const methods = {
	echo: (_ctx: Context, text: string) => text,
	answer: (ctx: Context, text: string) => ctx.clients.caller.send("Response_VM", ["Echo", text]),
	push: (ctx: Context, text: string) => ctx.clients.caller.send("pushed", text),
	join: (ctx: Context) => ctx.groups.add(ctx.connectionId, GROUP),
	toAll: (ctx: Context, text: string) => ctx.clients.all.send("Response_VM", ["Board", text]),
	toGroup: (ctx: Context, text: string) => ctx.clients.group(GROUP).send("Response_VM", ["Board", text]),
};

async function startAppServer({ port = 0 }: AppServerRole): Promise<number> {
	const hub = createHub<Answers>()({ ...SETTINGS, methods });
	const viewModels = createViewModelHub({ ...SETTINGS, viewModels: { Echo, Board, [CARD]: Card } });
	for (const each of [hub, viewModels]) each.use(acceptLinks({ secrets: secrets() }));
	const server = createServer().map(HUB_PATH, hub).map(VIEW_MODEL_PATH, viewModels);
	return (await server.listen(port, HOST)).port;
}

async function startProxy({ appServer, wire }: ProxyRole): Promise<number> {
	// An option of no declaration: a proxy offers native links wherever it can.
	const options: ForwardingOptions & { readonly nativeLinks: boolean } = {
		...{ secret: secrets()[0], nativeLinks: wire === "native" },
	};
	const hub = createHub()({ ...SETTINGS, methods: {} });
	const viewModels = createViewModelHub(SETTINGS);
	hub.use(useForwarding(appServer, options));
	viewModels.use(useForwarding(appServer, options));
	viewModels.observe({ linkUp: () => linkIsUp() });
	for (const { lifetime } of [hub, viewModels]) watchClients(lifetime);
	const own = createHub()({ ...SETTINGS, methods: { echo: methods.echo } });
	const server = createServer().map(HUB_PATH, hub).map(VIEW_MODEL_PATH, viewModels).map(OWN_HUB_PATH, own);
	return (await server.listen(0, HOST)).port;
}

/** What a WebSocket server costs that does nothing else. A first byte of "!" asks for a copy to everybody. */
function startBare(isParsing: boolean): Promise<number> {
	const server = new WebSocketServer({ host: HOST, port: 0, backlog: LISTEN_BACKLOG });
	server.on("connection", (socket) => {
		socket.on("message", (data: Buffer, isBinary) => {
			if (data[0] === 0x21) for (const each of server.clients) each.send(data, { binary: isBinary });
			else socket.send(isParsing ? reparsed(data) : data, { binary: isBinary });
		});
	});
	return new Promise((resolve, reject) => {
		server.once("error", reject);
		server.once("listening", () => resolve((server.address() as { port: number }).port));
	});
}

function reparsed(data: Buffer): string {
	return `${JSON.stringify(JSON.parse(data.toString().slice(0, -1)))}\u001e`;
}

async function start(subject: SubjectRole): Promise<number> {
	switch (subject.role) {
		case "app-server":
			return startAppServer(subject);
		case "proxy":
			return startProxy(subject);
		case "ws-relay":
			return startWsRelay(subject.target, HOST, LISTEN_BACKLOG);
		case "raw-echo":
			return (await startRawEcho(HOST, LISTEN_BACKLOG)).port;
		default:
			return startBare(subject.role === "ws-json");
	}
}

answerRequests();
process.send?.({ result: await start(JSON.parse(process.argv[2] ?? "{}") as SubjectRole) });
