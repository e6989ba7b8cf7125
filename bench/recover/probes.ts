// Clients that call now and then, whatever else happens: a process of its own, driven by requests of its parent.
import { setTimeout as wait } from "node:timers/promises";
import { LoadConnection } from "../load/connection.js";
import { maskedFrame } from "../load/frames.js";
import { moment } from "../subject/moment.js";
import { answerParent } from "./child-end.js";
import type { Door, ProbeResult, ProbesRequest } from "./job.js";
import { RecordReader } from "./record-reader.js";

const CLIENTS_PER_DOOR = 10;
/** Each client calls as often whether it has its answers or not: a server that stands still is asked all the time. */
const PAUSE_MS = 20;
const POLL_MS = 20;
const CALLING_TIMEOUT_MS = 60_000;
const RETRY_MS = 5;
const ANSWER_TIMEOUT_MS = 30_000;

interface Call {
	readonly sentAt: number;
	tookMs: number | undefined;
}

/** The calls of all clients of one door. */
interface Probe {
	readonly door: Door;
	calls: Call[];
	/** Clients that have called. */
	calling: number;
}

let probes: readonly Probe[] = [];

function pauseOf({ pauseMs = PAUSE_MS, isUneven = false }: Door): number {
	return isUneven ? pauseMs * (0.5 + Math.random()) : pauseMs;
}

/** Connects, again and again until somebody listens; then calls as long as the connection lasts. */
function connect(probe: Probe): void {
	const { door } = probe;
	const open = new Map<string, Call>();
	let made = 0;
	let timer: NodeJS.Timeout | undefined;
	const reader = new RecordReader((record) => {
		const { invocationId } = JSON.parse(record) as { readonly invocationId?: string };
		const call = invocationId === undefined ? undefined : open.get(invocationId);
		if (!call || invocationId === undefined) return;
		call.tookMs = moment() - call.sentAt;
		open.delete(invocationId);
	});
	const connection = new LoadConnection(
		{ ...door, protocol: "json" },
		() => {
			const call = (): void => {
				timer = setTimeout(call, pauseOf(door));
				const invocationId = String(made++);
				const record = { target: "echo", arguments: ["?"], invocationId, type: 1 };
				const one = { sentAt: moment(), tookMs: undefined };
				open.set(invocationId, one);
				probe.calls.push(one);
				if (made === 1) probe.calling++;
				connection.write(maskedFrame(Buffer.from(`${JSON.stringify(record)}\u001e`), false));
			};
			timer = setTimeout(call, pauseOf(door));
		},
		reader,
	);
	connection.onFailed = () => {
		clearTimeout(timer);
		setTimeout(() => connect(probe), RETRY_MS);
	};
}

function call(doors: readonly Door[]): void {
	probes = doors.map((door) => ({ door, calls: [], calling: 0 }));
	for (const probe of probes) for (let count = 0; count < clientsOf(probe); count++) connect(probe);
}

function clientsOf({ door: { clients = CLIENTS_PER_DOOR } }: Probe): number {
	return clients;
}

async function until(isSo: () => boolean, timeoutMs: number, what: string): Promise<void> {
	for (const start = performance.now(); !isSo(); await wait(POLL_MS))
		if (performance.now() - start > timeoutMs) throw new Error(`${what} for ${timeoutMs} ms`);
}

function calling(): Promise<void> {
	const isCalling = (): boolean => probes.every((probe) => probe.calling >= clientsOf(probe));
	return until(isCalling, CALLING_TIMEOUT_MS, "not every client could call");
}

async function results(from: number, to: number): Promise<ProbeResult[]> {
	const asked = probes.map(({ door, calls }) => ({
		...{ door, calls: calls.filter(({ sentAt }) => sentAt >= from && sentAt <= to) },
	}));
	const isOpen = (): boolean => asked.some(({ calls }) => calls.some(({ tookMs }) => tookMs === undefined));
	await until(() => !isOpen(), ANSWER_TIMEOUT_MS, "a call was not answered");
	for (const probe of probes) probe.calls = probe.calls.filter(({ sentAt }) => sentAt > to);
	return asked.map(({ door: { name }, calls }) => resultOf(name, calls));
}

function resultOf(name: string, calls: readonly Call[]): ProbeResult {
	const sorted = calls.map(({ tookMs = 0 }) => tookMs).toSorted((a, b) => a - b);
	const at = (share: number): number | null =>
		sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? null;
	return { name, calls: calls.length, p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) };
}

answerParent(async (request: ProbesRequest) => {
	switch (request.kind) {
		case "call":
			return call(request.doors);
		case "calling":
			return calling();
		case "results":
			return results(request.from, request.to);
	}
});
