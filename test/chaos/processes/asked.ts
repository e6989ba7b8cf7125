// What both programs do alike: say where they listen, answer questions, end in order when they are asked to.
import type { Hub, Server } from "../../../lib/index.js";
import type { JournalWriter } from "./journal.js";
import { type Facts, HUB_PATH, type Question } from "./settings.js";

/** How long an end in order may take, in milliseconds. */
const CLOSE_TIMEOUT_MS = 5_000;
const READY_POLL_MS = 5;

/** A program of a stage, as its parent sees it. */
export interface Program {
	readonly hub: Hub;
	readonly server: Server;
	readonly port: number;
	readonly journal: JournalWriter;
	/** Over how long clients are sent away at the end, in milliseconds. */
	readonly spreadMs?: number | undefined;
	/** How many messages were taken of each client. */
	taken?(): Readonly<Record<string, number>>;
}

/** The settings that a program was started with. */
export function settingsOf<Settings>(): Settings {
	return JSON.parse(process.argv[2] ?? "{}") as Settings;
}

/** Writes down what becomes of a hub's clients and messages. */
export function keepBooks(hub: Hub, journal: JournalWriter): void {
	hub.on("connected", ({ connectionId }) => journal.tell({ connected: connectionId }));
	hub.on("disconnected", ({ connectionId }, { kind }) =>
		journal.tell({ disconnected: connectionId, reason: kind }),
	);
	hub.on("undeliverable", ({ code, client, target }) =>
		journal.tell({
			undeliverable: {
				code,
				...(client !== undefined && { client }),
				...(target !== undefined && { target }),
			},
		}),
	);
	const fault = (thrown: unknown): void =>
		journal.tell({ fault: thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown) });
	process.on("uncaughtException", fault);
	process.on("unhandledRejection", fault);
}

function block(ms: number): void {
	const end = performance.now() + ms;
	while (performance.now() < end);
}

function bufferedOf({ lifetime }: Hub): Facts["buffered"] {
	const buffered = { all: 0, most: 0 };
	for (const { wire } of lifetime) {
		const { bufferedBytes = 0 } = wire;
		buffered.all += bufferedBytes;
		buffered.most = Math.max(buffered.most, bufferedBytes);
	}
	return buffered;
}

function factsOf({ hub, taken }: Program): Facts {
	return {
		clients: hub.lifetime.size,
		counters: hub.counters.snapshot(),
		links: hub.links(),
		buffered: bufferedOf(hub),
		rss: process.memoryUsage.rss(),
		isReady: hub.ready,
		taken: taken?.() ?? {},
	};
}

/** Starts to listen, and answers the parent from then on. */
export async function run(program: Program): Promise<void> {
	const { hub, server, journal, port, spreadMs } = program;
	process.on("message", ({ id, ...question }: Question & { readonly id: number }) => {
		if (question.ask === "block") block(question.ms);
		process.send?.({ id, facts: factsOf(program) });
	});
	// A parent that is gone, however it went, takes this process with it.
	process.once("disconnect", () => process.exit());
	process.once("SIGTERM", () => {
		void server.close({ timeoutMs: CLOSE_TIMEOUT_MS, spreadMs }).then(() => {
			journal.tell({ taken: program.taken?.() ?? {} });
			process.exit(0);
		});
	});
	const listening = await server.map(HUB_PATH, hub).listen(port, "127.0.0.1");
	process.send?.({ port: listening.port });
	while (!hub.ready) await new Promise((resolve) => setTimeout(resolve, READY_POLL_MS));
	process.send?.({ isReady: true });
}
