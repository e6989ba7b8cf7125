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
const RETRY_MS = 5;
const ANSWER_TIMEOUT_MS = 30_000;

interface Call {
	readonly sentAt: number;
	tookMs: number | undefined;
}

/** The calls of all clients of one door. */
interface Probe {
	readonly door: Door;
	readonly calls: Call[];
}

let probes: readonly Probe[] = [];

/** Connects, again and again until somebody listens; then calls as long as the connection lasts. */
function connect({ door, calls }: Probe): void {
	const mine: Call[] = [];
	let timer: NodeJS.Timeout | undefined;
	const reader = new RecordReader((record) => {
		const { invocationId } = JSON.parse(record) as { readonly invocationId?: string };
		const call = invocationId === undefined ? undefined : mine[Number(invocationId)];
		if (call) call.tookMs = moment() - call.sentAt;
	});
	const connection = new LoadConnection(
		{ ...door, protocol: "json" },
		() => {
			timer = setInterval(() => {
				const record = { target: "echo", arguments: ["?"], invocationId: String(mine.length), type: 1 };
				const call = { sentAt: moment(), tookMs: undefined };
				mine.push(call);
				calls.push(call);
				connection.write(maskedFrame(Buffer.from(`${JSON.stringify(record)}\u001e`), false));
			}, PAUSE_MS);
		},
		reader,
	);
	connection.onFailed = () => {
		clearInterval(timer);
		setTimeout(() => connect({ door, calls }), RETRY_MS);
	};
}

function call(doors: readonly Door[]): void {
	probes = doors.map((door) => ({ door, calls: [] }));
	for (const probe of probes) for (let count = 0; count < CLIENTS_PER_DOOR; count++) connect(probe);
}

async function results(from: number, to: number): Promise<ProbeResult[]> {
	const asked = probes.map(({ door, calls }) => ({
		...{ door, calls: calls.filter(({ sentAt }) => sentAt >= from && sentAt <= to) },
	}));
	const isOpen = (): boolean => asked.some(({ calls }) => calls.some(({ tookMs }) => tookMs === undefined));
	for (const start = performance.now(); isOpen(); await wait(PAUSE_MS))
		if (performance.now() - start > ANSWER_TIMEOUT_MS)
			throw new Error(`a call was not answered for ${ANSWER_TIMEOUT_MS} ms`);
	return asked.map(({ door: { name }, calls }) => resultOf(name, calls));
}

function resultOf(name: string, calls: readonly Call[]): ProbeResult {
	const sorted = calls.map(({ tookMs = 0 }) => tookMs).toSorted((a, b) => a - b);
	const at = (share: number): number | null =>
		sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? null;
	return { name, calls: calls.length, p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) };
}

answerParent(async (request: ProbesRequest) =>
	request.kind === "call" ? call(request.doors) : results(request.from, request.to),
);
