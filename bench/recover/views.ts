// Clients that show view models: a process of its own, driven by requests of its parent.
import { setTimeout as wait } from "node:timers/promises";
import { LoadConnection } from "../load/connection.js";
import { maskedFrame, RECORD_SEPARATOR } from "../load/frames.js";
import { CARD } from "../subject/role.js";
import { answerParent } from "./child-end.js";
import type { CurrentViews, ShowJob, ViewsRequest } from "./job.js";
import { RecordReader } from "./record-reader.js";
import { ShownViews } from "./shown-views.js";

const CONNECT_BATCH = 100;
const SHOW_TIMEOUT_MS = 60_000;
const CURRENT_TIMEOUT_MS = 60_000;
const POLL_MS = 5;

let views = new ShownViews(0, 0);

async function until(isSo: () => boolean, timeoutMs: number, what: () => string): Promise<void> {
	for (const start = performance.now(); !isSo(); await wait(POLL_MS))
		if (performance.now() - start > timeoutMs) throw new Error(`after ${timeoutMs} ms: ${what()}`);
}

/** Requests without an id: nothing but states comes back. */
function requestsOf(viewsEach: number): Buffer {
	const records = Array.from({ length: viewsEach }, (_, at) =>
		JSON.stringify({ target: "Request_VM", arguments: [`${CARD}$${at}`, null], type: 1 }),
	);
	const separator = String.fromCharCode(RECORD_SEPARATOR);
	return maskedFrame(Buffer.from(records.map((record) => record + separator).join("")), false);
}

async function show(job: ShowJob): Promise<void> {
	const { clients, viewsEach } = job;
	views = new ShownViews(clients, viewsEach);
	const requests = requestsOf(viewsEach);
	for (let from = 0; from < clients; from += CONNECT_BATCH) {
		const to = Math.min(clients, from + CONNECT_BATCH);
		for (let client = from; client < to; client++) connect(job, client, requests);
		await until(
			() => views.shown === to * viewsEach || views.ended > 0,
			SHOW_TIMEOUT_MS,
			() => `${views.shown} of ${to * viewsEach} view models are shown`,
		);
		if (views.ended > 0) throw new Error(`${views.ended} clients were disconnected`);
	}
	views.clear();
}

function connect(job: ShowJob, client: number, requests: Buffer): void {
	const reader = new RecordReader((record) => views.take(client, record));
	const connection = new LoadConnection(
		{ ...job, protocol: "json" },
		() => connection.write(requests),
		reader,
	);
	connection.onFailed = () => views.end();
}

async function current(life: number): Promise<CurrentViews> {
	await until(
		() => views.currentOf(life) === views.size,
		CURRENT_TIMEOUT_MS,
		() => `${views.currentOf(life)} of ${views.size} views are current, ${views.ended} clients have ended`,
	);
	return views.current;
}

answerParent((request: ViewsRequest) =>
	request.kind === "show" ? show(request.job) : current(request.life),
);
