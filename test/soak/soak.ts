import { setTimeout as wait } from "node:timers/promises";
import { type Census, compare, type Finding, type Lives, sumOf } from "./report.js";
import { SoakChild } from "./soak-child.js";

const LOADS = 2;
/** Longer than anything that is given up may stay. */
const QUIET_TIMEOUT_MS = 40_000;
const QUIET_POLL_MS = 1_000;

/** How many clients, and for how long. */
export interface SoakSettings {
	readonly clients: number;
	readonly seconds: number;
	/** What is not compiled yet, and lists that are empty yet, say nothing about memory. */
	readonly warmUpSeconds: number;
}

/** What was left, and what the clients went through. */
export interface SoakResult {
	readonly findings: readonly Finding[];
	readonly lives: Lives;
}

/** Asks until all clients are gone, and the counts have settled. */
async function quiet(server: SoakChild): Promise<Census> {
	let last: Census | undefined;
	for (const start = performance.now(); ; await wait(QUIET_POLL_MS)) {
		const census = await server.census(true);
		const isSettled =
			census["clients"] === 0 &&
			census["sockets"] === 0 &&
			census["objects Timeout"] === last?.["objects Timeout"] &&
			census["objects Map"] === last?.["objects Map"];
		if (isSettled || performance.now() - start > QUIET_TIMEOUT_MS) return census;
		last = census;
	}
}

/** Sends clients and waits until they have ended; `during` is what the server held at half time. */
async function send(
	server: SoakChild,
	clients: number,
	seconds: number,
): Promise<{ during: Census; lives: Lives }> {
	const loads = await Promise.all(Array.from({ length: LOADS }, () => SoakChild.start("load")));
	try {
		const share = Math.ceil(clients / LOADS);
		const lives = loads.map((load) => load.live({ port: server.port, clients: share, seconds }));
		const all = Promise.all(lives);
		all.catch(() => undefined);
		await wait((seconds * 1_000) / 2);
		const during = await server.census(false);
		return { during, lives: sumOf(await all) };
	} finally {
		await Promise.all(loads.map((load) => load.stop()));
	}
}

/** Soaks a server in clients. */
export async function soak(settings: SoakSettings, say: (line: string) => void): Promise<SoakResult> {
	const server = await SoakChild.start("server");
	try {
		say(`warm-up: ${settings.clients} clients for ${settings.warmUpSeconds} s`);
		await send(server, settings.clients, settings.warmUpSeconds);
		const before = await quiet(server);
		say(`${settings.clients} clients for ${settings.seconds} s`);
		const { during, lives } = await send(server, settings.clients, settings.seconds);
		say("all clients are gone; waiting for the server to be quiet");
		const after = await quiet(server);
		return { findings: compare(before, during, after), lives };
	} finally {
		await server.stop();
	}
}
