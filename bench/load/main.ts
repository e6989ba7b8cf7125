// The load: a process of its own that connects clients and keeps messages going, driven by requests of its parent.
import { setTimeout as wait } from "node:timers/promises";
import { LoadConnection } from "./connection.js";
import { maskedFrame } from "./frames.js";
import type { LoadJob, LoadRequest, ProcessShare, Window, WindowResult } from "./job.js";
import { Latencies } from "./latencies.js";
import { coreTimes, processTimes, shareBetween } from "./process-share.js";
import { Spinner } from "./spinner.js";
import { Traffic } from "./traffic.js";

const CONNECT_BATCH = 50;
const CONNECT_TIMEOUT_MS = 60_000;
const DRAIN_TIMEOUT_MS = 10_000;
const POLL_MS = 2;

/** What is known of a window but for what its messages tell. */
type MeasuredWindow = Omit<WindowResult, "p50Us" | "p99Us" | "sent" | "received">;

const latencies = new Latencies();
const spinner = new Spinner();
let job: LoadJob | undefined;
let connections: LoadConnection[] = [];
let failure: string | undefined;

function failed(reason: string): void {
	failure ??= reason;
}

/** Waits until it is so; fails when a connection does or the time is over. */
async function until(isSo: () => boolean, timeoutMs: number, what: () => string): Promise<void> {
	for (const start = performance.now(); !isSo(); await wait(POLL_MS)) {
		if (failure !== undefined) throw new Error(failure);
		if (performance.now() - start > timeoutMs) throw new Error(`after ${timeoutMs} ms: ${what()}`);
	}
}

async function connectBatch(next: LoadJob, count: number): Promise<void> {
	let ready = 0;
	const setup =
		next.setup && maskedFrame(Buffer.from(next.setup.message, "base64"), next.protocol === "messagepack");
	const open = (): void => {
		let answers = 0;
		const connection = new LoadConnection(next, () => {
			if (setup) connection.write(setup);
			if (!next.setup?.answers) ready++;
		});
		connection.onFailed = failed;
		connection.onMessages = (messages) => {
			answers += messages;
			if (answers === next.setup?.answers) ready++;
		};
		connections.push(connection);
	};
	for (let k = 0; k < count; k++) open();
	await until(
		() => ready >= count,
		CONNECT_TIMEOUT_MS,
		() => `${ready} of ${count} clients are ready`,
	);
}

async function connectAll(next: LoadJob): Promise<void> {
	job = next;
	failure = undefined;
	for (let left = next.clients; left > 0; left -= CONNECT_BATCH)
		await connectBatch(next, Math.min(left, CONNECT_BATCH));
}

interface Look {
	readonly at: number;
	readonly busyMs: number;
	readonly answered: number;
	readonly times: readonly ProcessShare[];
	readonly cores: ReturnType<typeof coreTimes>;
}

function look(traffic: Traffic, pids: readonly number[]): Look {
	const { answered } = traffic;
	const [at, cores] = [performance.now(), coreTimes()];
	return { at, cores, answered, busyMs: spinner.busyMs, times: pids.map(processTimes) };
}

function between(before: Look, after: Look, isSpinning: boolean): MeasuredWindow {
	const seconds = (after.at - before.at) / 1000;
	const processes = after.times.map((time, index) => shareBetween(before.times[index] ?? time, time));
	const own = processes.pop()?.cpuSeconds ?? 0;
	return {
		...{ seconds, processes, messages: after.answered - before.answered },
		loadBusy: (isSpinning ? (after.busyMs - before.busyMs) / 1000 : own) / seconds,
		coresBusy: after.cores.map(({ busy, all }, index) => {
			const then = before.cores[index] ?? { busy: 0, all: 0 };
			return (busy - then.busy) / Math.max(1, all - then.all);
		}),
	};
}

async function measure(current: LoadJob, window: Window): Promise<WindowResult> {
	const traffic = new Traffic(current, connections, latencies);
	const pids = [...window.pids, process.pid];
	if (current.isSpinning) spinner.start();
	traffic.start();
	await wait(window.warmUpMs);
	latencies.clear();
	const before = look(traffic, pids);
	await wait(window.windowMs);
	const after = look(traffic, pids);
	const [p50Us, p99Us] = [latencies.quantileUs(0.5), latencies.quantileUs(0.99)];
	await drain(traffic);
	spinner.stop();
	const { sent, received } = traffic;
	return { ...between(before, after, current.isSpinning), p50Us, p99Us, sent, received };
}

async function drain(traffic: Traffic): Promise<void> {
	traffic.stop();
	const owed = (): string =>
		`${traffic.received} of ${traffic.expected} answers came (${traffic.sent} messages sent)`;
	await until(() => traffic.received >= traffic.expected, DRAIN_TIMEOUT_MS, owed);
	if (!traffic.isEven || traffic.received !== traffic.expected)
		throw new Error(`answers are not even: ${owed()}`);
}

function closeAll(): void {
	spinner.stop();
	for (const connection of connections) connection.end();
	connections = [];
}

async function answerTo(request: LoadRequest): Promise<unknown> {
	switch (request.kind) {
		case "connect":
			return connectAll(request.job);
		case "measure":
			if (!job) throw new Error("connect first");
			return measure(job, request.window);
		case "close":
			return closeAll();
	}
}

process.on("message", (request: LoadRequest) => {
	answerTo(request).then(
		(result) => process.send?.({ result: result ?? null }),
		(error: unknown) => {
			closeAll();
			process.send?.({ error: error instanceof Error ? error.message : String(error) });
		},
	);
});
process.on("disconnect", () => process.exit());
process.send?.({ result: null });
