// The server that is soaked: a process of its own, asked by its parent what it holds.
import { IncomingMessage, ServerResponse } from "node:http";
import { Socket } from "node:net";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { setTimeout as wait } from "node:timers/promises";
import v8 from "node:v8";
import { MessageChannel } from "../../lib/hub/channel/message-channel.js";
import { ClientConnection } from "../../lib/hub/clients/client-connection.js";
import { Download } from "../../lib/hub/streams/download.js";
import { Upload } from "../../lib/hub/streams/upload.js";
import { createHub, createServer, type InvocationContext, method } from "../../lib/index.js";
import { type Census, HEAP, HUB_PATH, type Pace, type Request } from "./report.js";

const HOST = "127.0.0.1";
const ITEM_MS = 20;
const COLLECTIONS = 4;

type Client = Record<string, (...parameters: readonly unknown[]) => unknown>;
type Context = InvocationContext<Client>;

const running = { streams: 0, uploads: 0, listeners: 0 };

async function* count(_ctx: Context, to: number): AsyncGenerator<number> {
	running.streams++;
	try {
		for (let at = 0; at < to; at++) {
			yield at;
			await wait(ITEM_MS);
		}
	} finally {
		running.streams--;
	}
}

async function sum(_ctx: Context, items: AsyncIterable<unknown>): Promise<number> {
	running.uploads++;
	try {
		let total = 0;
		for await (const item of items) total += Number(item);
		return total;
	} finally {
		running.uploads--;
	}
}

async function* double(_ctx: Context, items: AsyncIterable<unknown>): AsyncGenerator<number> {
	running.streams++;
	try {
		for await (const item of items) yield Number(item) * 2;
	} finally {
		running.streams--;
	}
}

const hub = createHub<Client>()({
	allowStatefulReconnects: true,
	disconnectTimeoutMs: process.argv[2] === undefined ? undefined : Number(process.argv[2]),
	methods: {
		echo: (_ctx: Context, value: unknown) => value,
		join: (ctx: Context, group: string) => ctx.groups.add(ctx.connectionId, group),
		tell: (ctx: Context, group: string, text: string) => ctx.clients.group(group).send("told", text),
		ask: (ctx: Context, value: unknown) => ctx.clients.client(ctx.connectionId).invoke("asked", value),
		count,
		sum: method({ streams: 1 }, sum),
		double: method({ streams: 1, stream: true }, double),
	},
});
hub.on("connected", () => {
	running.listeners++;
});
hub.on("disconnected", () => {
	running.listeners--;
});
const server = createServer().map(HUB_PATH, hub);

const delays = monitorEventLoopDelay();
delays.enable();
const probe = setTimeout(() => undefined, 0);
clearTimeout(probe);
/** What each of the server's clients is made of. */
const CLASSES: readonly (new (...parameters: never[]) => unknown)[] = [
	...[ClientConnection, MessageChannel, Download, Upload, Socket, IncomingMessage, ServerResponse],
	...[AbortController, Map, Set, probe.constructor as new () => unknown],
];

function sockets(): Promise<number> {
	return new Promise((resolve) => server.http.getConnections((_error, open) => resolve(open)));
}

function listeners(): number {
	return [process, server.http].reduce(
		(total, emitter) =>
			total + emitter.eventNames().reduce((sum, name) => sum + emitter.listenerCount(String(name)), 0),
		0,
	);
}

/** How busy it was since it was asked last: a pause that no client should notice, unless the machine is full. */
function pace(): Pace {
	const { user, system } = process.cpuUsage();
	const found = { cpuSeconds: (user + system) / 1e6, longestPauseMs: Math.round(delays.max / 1e6) };
	delays.reset();
	return found;
}

async function glance(): Promise<Record<string, number>> {
	const { heapUsed, external } = process.memoryUsage();
	return {
		...{ clients: hub.lifetime.size, sockets: await sockets() },
		...{ "streams that run": running.streams, "uploads that run": running.uploads },
		...{ "connected without disconnected": running.listeners, listeners: listeners() },
		[HEAP]: heapUsed + external,
	};
}

async function census(): Promise<Census> {
	for (let k = 0; k < COLLECTIONS; k++) {
		await new Promise((resolve) => setImmediate(resolve));
		globalThis.gc?.();
	}
	const counts = await glance();
	for (const type of process.getActiveResourcesInfo())
		counts[`resources ${type}`] = (counts[`resources ${type}`] ?? 0) + 1;
	for (const type of CLASSES) counts[`objects ${type.name}`] = v8.queryObjects(type, { format: "count" });
	return counts;
}

process.on("disconnect", () => process.exit());
process.on("message", (request: Request) => {
	if (request.kind === "pace") {
		process.send?.({ result: pace() });
		return;
	}
	const isWhole = request.kind === "census" && request.isWhole;
	void (isWhole ? census() : glance()).then((result) => process.send?.({ result }));
});
process.send?.({ result: (await server.listen(0, HOST)).port });
