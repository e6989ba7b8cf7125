import { randomBytes, randomInt } from "node:crypto";
import { setTimeout } from "node:timers/promises";
import { type ChildPlan, Children, freePort } from "./children.js";
import { Front, type FrontTarget } from "./front.js";
import type { Environment } from "./settings.js";

/** Port of the front where `PORT` is not set. */
const DEFAULT_FRONT_PORT = 5_000;
/** How long the servers may take to reach each other, in milliseconds. */
const STARTUP_TIMEOUT_MS = 30_000;
const POLL_INTERVAL_MS = 100;
const HUB_PATH = "/dotnetify";

/** Variables that the children get from us only: what a developer has set for one proxy must not reach two. */
const OURS =
	/^(?:PORT|HOST|APPSERVER_URLS?|PROXY_CONFIG|CONNECTION_POOL_SIZE|HUB_PATH|TRUST_PROXY|ALLOWED_ORIGINS|SERVER_ID|LINK_.+|TLS_.+|TOKEN_SECRET|DRAIN_MS|CLOSE_SPREAD_MS|NODE_CHANNEL_.+)$/;

/** A start that cannot go on; its message is one line for people. */
class StartError extends Error {}

interface Layout {
	readonly frontPort: number;
	readonly appServer: FrontTarget;
	readonly proxies: readonly FrontTarget[];
}

function frontPort(text: string | undefined): number {
	if (text === undefined || text.trim() === "") return DEFAULT_FRONT_PORT;
	if (/^\d{1,5}$/.test(text.trim()) && Number(text) <= 65_535) return Number(text);
	throw new StartError(`PORT: found ${JSON.stringify(text)}, expected a whole number from 0 to 65535`);
}

async function planLayout(port: number): Promise<Layout> {
	const taken = new Set([port]);
	const choose = async (wanted: number): Promise<number> => {
		let chosen = await freePort(wanted > 65_535 ? 0 : wanted);
		while (taken.has(chosen)) chosen = await freePort(0);
		taken.add(chosen);
		return chosen;
	};
	// With any port for the front, any will do for the others: below those that the system gives to outgoing connections.
	const after = (offset: number): number => (port === 0 ? randomInt(20_000, 32_000) : port + offset);
	return {
		frontPort: port,
		appServer: { name: "app", port: await choose(after(1)) },
		proxies: [
			{ name: "p1", port: await choose(after(2)) },
			{ name: "p2", port: await choose(after(3)) },
		],
	};
}

/** What every child gets: our environment without their settings, and secrets that live as long as we do. */
function sharedEnvironment(): Record<string, string> {
	const entries = Object.entries(process.env).filter(
		([name, value]) => value !== undefined && !OURS.test(name),
	);
	return {
		LOG_LEVEL: "warn",
		...(Object.fromEntries(entries) as Record<string, string>),
		HOST: "127.0.0.1",
		HUB_PATH,
		LINK_SECRET: randomBytes(32).toString("base64url"),
		TOKEN_SECRET: randomBytes(32).toString("base64url"),
		// The front, and nobody else, talks to the children; it writes these headers itself.
		TRUST_PROXY: "127.0.0.1",
		DRAIN_MS: "0",
		CLOSE_SPREAD_MS: "0",
	};
}

function planChildren(layout: Layout): ChildPlan[] {
	const shared = sharedEnvironment();
	const { appServer, proxies } = layout;
	const plan = (target: FrontTarget, program: string, more: Record<string, string> = {}): ChildPlan => ({
		name: target.name,
		program,
		environment: { ...shared, ...more, PORT: String(target.port), SERVER_ID: target.name },
	});
	const upstream = { APPSERVER_URL: `http://127.0.0.1:${appServer.port}` };
	return [
		plan(appServer, "app-server/main.js"),
		...proxies.map((proxy) => plan(proxy, "proxy-server/main.js", upstream)),
	];
}

async function isReady(target: FrontTarget, signal: AbortSignal): Promise<boolean> {
	try {
		const answer = await fetch(`http://127.0.0.1:${target.port}/ready`, {
			signal,
			headers: { connection: "close" },
		});
		await answer.arrayBuffer();
		return answer.ok;
	} catch {
		return false;
	}
}

/** Waits until every proxy has reached the app server. */
async function waitUntilReady(proxies: readonly FrontTarget[], stopped: AbortSignal): Promise<void> {
	const late = AbortSignal.timeout(STARTUP_TIMEOUT_MS);
	const signal = AbortSignal.any([late, stopped]);
	for (const proxy of proxies) {
		while (!(await isReady(proxy, signal))) {
			if (stopped.aborted) return;
			if (late.aborted)
				throw new StartError(
					`${proxy.name} did not reach the app server within ${STARTUP_TIMEOUT_MS / 1_000} s`,
				);
			await setTimeout(POLL_INTERVAL_MS);
		}
	}
}

function table({ appServer, proxies }: Layout, port: number): string {
	const rows = [
		["front", `http://localhost:${port}`, "open this one"],
		...proxies.map(({ name, port: at }) => [
			`proxy ${name}`,
			`http://127.0.0.1:${at}`,
			`hub ${HUB_PATH}, forwards to the app server`,
		]),
		["app server", `http://127.0.0.1:${appServer.port}`, `hub ${HUB_PATH}, pages`],
	];
	const lines = rows.map(([name = "", url = "", what]) => `  ${name.padEnd(12)}${url.padEnd(26)}${what}`);
	return `\nTrunkline runs. Ctrl-C stops it.\n\n${lines.join("\n")}\n\n`;
}

function listenProblem(error: NodeJS.ErrnoException, port: number): StartError {
	if (error.code === "EADDRINUSE") {
		return new StartError(`port ${port} is in use: stop what listens there, or set PORT to another one`);
	}
	return new StartError(`cannot listen on port ${port} (${error.code ?? error.message})`);
}

/** What ended a run: a signal (undefined), or a line that says what went wrong. */
type Ending = string | undefined;

function endings(children: Children): Promise<Ending> {
	return new Promise((resolve) => {
		children.once("lost", ({ name, how }) => resolve(`${name} ${how}; the others are stopped`));
		for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
			process.on(signal, () => resolve(undefined));
	});
}

async function runUntil(ended: Promise<Ending>, layout: Layout, front: Front): Promise<Ending> {
	const stopped = new AbortController();
	const startup = waitUntilReady(layout.proxies, stopped.signal).then(() => {
		if (!stopped.signal.aborted) process.stdout.write(table(layout, front.port));
		return ended;
	});
	const end = await Promise.race([ended, startup]);
	stopped.abort();
	return end;
}

/**
 * `npm start`: an app server and two proxies behind one front. Resolves when all are stopped again, with the exit
 * code; says in one line what went wrong. Importing this file starts nothing.
 */
export async function start({ PORT }: Environment = process.env): Promise<number> {
	const children = new Children();
	const ended = endings(children);
	let front: Front | undefined;
	try {
		const layout = await planLayout(frontPort(PORT));
		front = new Front({ proxies: layout.proxies, pages: layout.appServer, hubPath: HUB_PATH });
		await front.listen(layout.frontPort).catch((error: NodeJS.ErrnoException) => {
			throw listenProblem(error, layout.frontPort);
		});
		for (const plan of planChildren(layout)) children.start(plan);
		const problem = await runUntil(ended, layout, front);
		if (problem !== undefined) throw new StartError(problem);
		return 0;
	} catch (error) {
		if (!(error instanceof StartError)) throw error;
		process.stderr.write(`trunkline: ${error.message}\n`);
		return 1;
	} finally {
		await Promise.all([children.stop(), front?.close().catch(() => undefined)]);
	}
}
