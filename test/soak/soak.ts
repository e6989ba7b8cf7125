import { setTimeout as wait } from "node:timers/promises";
import { type Census, compare, type Finding, type Lives, sumOf } from "./report.js";
import { SoakChild } from "./soak-child.js";

const LOADS = 2;
/** Longer than anything that is given up may stay. */
const QUIET_TIMEOUT_MS = 40_000;
const QUIET_POLL_MS = 100;

/** How many clients, and for how long. */
export interface SoakSettings {
	readonly clients: number;
	readonly seconds: number;
	/** What is not compiled yet, and lists that are empty yet, say nothing about memory. */
	readonly warmUpSeconds: number;
	/** How long the server keeps clients that lost their socket. @defaultValue the hub's */
	readonly disconnectTimeoutMs?: number;
	/** By how much the heap may have grown, as a factor. @defaultValue 1.1 */
	readonly heapGrowth?: number;
}

/** What was left, and what the clients went through. */
export interface SoakResult {
	readonly findings: readonly Finding[];
	readonly lives: Lives;
}

/** Waits until all clients are gone and `isGood` says so, or the time is over; returns what is there then. */
async function quiet(server: SoakChild, isGood: (census: Census) => boolean): Promise<Census> {
	for (const start = performance.now(); ; await wait(QUIET_POLL_MS)) {
		const isLate = performance.now() - start > QUIET_TIMEOUT_MS;
		const { clients, sockets } = await server.census(false);
		if (!isLate && (clients !== 0 || sockets !== 0)) continue;
		const census = await server.census(true);
		if (isLate || isGood(census)) return census;
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
	const server = await SoakChild.start("server", settings.disconnectTimeoutMs);
	try {
		say(`warm-up: ${settings.clients} clients for ${settings.warmUpSeconds} s`);
		await send(server, settings.clients, settings.warmUpSeconds);
		const before = await quiet(server, () => true);
		say(`${settings.clients} clients for ${settings.seconds} s`);
		const { cpuSeconds } = await server.pace();
		const { during, lives } = await send(server, settings.clients, settings.seconds);
		const pace = await server.pace();
		const share = (pace.cpuSeconds - cpuSeconds) / settings.seconds;
		say(
			`the server had ${Math.round(share * 100)}% of a core, its longest pause was ${pace.longestPauseMs} ms`,
		);
		say("all clients are gone; waiting for the server to be quiet");
		const findings = (after: Census): Finding[] => compare(before, during, after, settings.heapGrowth);
		const after = await quiet(server, (found) => findings(found).every(({ isFine }) => isFine));
		return { findings: findings(after), lives };
	} finally {
		await server.stop();
	}
}
