import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { ManualClock } from "../../lib/base/index.js";
import { createViewModelHub } from "../../lib/dotnetify/index.js";
import type { CompletionMessage } from "../../lib/protocols/index.js";
import { createRecordedViewModels } from "./recorded-view-models.js";
import { type Received, RecordingClient } from "./recording-client.js";

/** Compiled tests run from dist/test, the traces stay in test. */
const TRACES = ["../traces/", "../../../test/traces/"].map((path) =>
	fileURLToPath(new URL(path, import.meta.url)),
);
const folder = TRACES.find((path) => existsSync(path));

interface Line {
	readonly t: number;
	readonly dir: string;
	readonly conn: number;
	readonly kind: string;
	readonly data:
		| string
		| { readonly url?: string; readonly headers?: Record<string, string>; readonly body?: string };
}

interface HubRecord {
	readonly type: number;
	readonly target?: string;
	readonly arguments?: readonly unknown[];
	readonly error?: string;
	readonly result?: unknown;
}

/** One record as it is compared: a response's data as an object, so that the order of members does not matter. */
type Comparable =
	| { readonly vmId: unknown; readonly data: unknown }
	| { readonly error: string }
	| { readonly result: unknown };

/** Where this server deliberately answers otherwise than the original. */
interface Difference {
	readonly reason: string;
	/** The recorded answers as ours should be. */
	readonly change: (expected: Comparable[], conn: number) => void;
}

function replaceResponse(expected: Comparable[], vmId: string, data: (old: unknown) => unknown): void {
	for (const [at, each] of expected.entries()) {
		if ("vmId" in each && each.vmId === vmId) expected[at] = { vmId, data: data(each.data) };
	}
}

function isArgumentNull(each: Comparable): boolean {
	return (
		"data" in each && (each.data as { ExceptionType?: string }).ExceptionType === "ArgumentNullException"
	);
}

const UNKNOWN_INVOKE = {
	error: "Failed to invoke 'Invoke' due to an error on the server. HubException: Method does not exist.",
};

const DETAILS = [
	" InvalidDataException: Invocation provides 1 argument(s) but target expects 2.",
	" InvalidDataException: Invocation provides 3 argument(s) but target expects 2.",
	" InvalidDataException: Argument 2 of Update_VM must be an object or null.",
	"",
];

const DIFFERENCES: Readonly<Record<string, readonly Difference[]>> = {
	"08-nested-and-instances.json-direct.jsonl": [
		{
			reason:
				"A master that was made implicitly does not push (the original sends its internal ArgumentNullException), and one that was requested does.",
			change: (expected) => {
				const kept = expected.filter((each) => !isArgumentNull(each));
				const disposed = kept.findLastIndex((each) => "result" in each) - 1;
				kept.splice(disposed, 0, { vmId: "Root", data: { Title: "root-Child" } });
				expected.splice(0, expected.length, ...kept);
			},
		},
	],
	"09-errors.json-direct.jsonl": [
		{
			reason: "With detailedErrors, which the exceptions' texts need, a refused call says why.",
			change: (expected) => {
				for (const [at, each] of expected.entries()) {
					const detail = "error" in each ? DETAILS.shift() : undefined;
					if (detail !== undefined && "error" in each) expected[at] = { error: each.error + detail };
				}
			},
		},
	],
	"10-conn-context-routing.json-direct.jsonl": [
		{
			reason:
				"The client's port is another one here, and Node counts the seven headers of the upgrade (Kestrel six).",
			change: (expected) =>
				replaceResponse(expected, "Conn", (old) => ({
					...(old as object),
					...{ HttpConn: "127.0.0.1:1234 fromIPAddress=127.0.0.1", NumHeaders: 7 },
				})),
		},
	],
	"11-invoke-forged.json-direct.jsonl": [
		{
			reason:
				"A client may not call Invoke: it gets the answer for an unknown method, and its victim notices nothing.",
			change: (expected, conn) => {
				if (conn === 14) expected.splice(-1, 0, { vmId: "HelloWorld", data: { Greetings: "still? World" } });
				else
					expected.splice(0, expected.length, UNKNOWN_INVOKE, UNKNOWN_INVOKE, UNKNOWN_INVOKE, UNKNOWN_INVOKE);
			},
		},
	],
};

function linesOf(file: string): Line[] {
	const text = readFileSync(`${folder}/${file}`, "utf8");
	return text
		.trim()
		.split("\n")
		.map((line) => JSON.parse(line) as Line);
}

function recordsOf({ kind, data }: Line): HubRecord[] {
	if (kind !== "text" || typeof data !== "string") return [];
	const parts = data.split("\x1e").filter((part) => part !== "");
	return parts.map((part) => JSON.parse(part) as HubRecord);
}

/** Connection ids by token: negotiate gave both. */
function negotiated(lines: readonly Line[]): Map<string, string> {
	const ids = new Map<string, string>();
	for (const { kind, data } of lines) {
		if (kind !== "http" || typeof data === "string" || !data.body) continue;
		const { connectionToken, connectionId } = JSON.parse(data.body) as Record<string, string>;
		if (connectionToken && connectionId) ids.set(connectionToken, connectionId);
	}
	return ids;
}

function expectedOf(record: HubRecord): Comparable | undefined {
	if (record.type === 3)
		return record.error === undefined ? { result: record.result } : { error: record.error };
	if (record.type !== 1) return undefined;
	const response = record.arguments?.[0] as [unknown, unknown];
	const [vmId, text] = response;
	return { vmId, data: typeof text === "string" ? (JSON.parse(text) as unknown) : text };
}

function actualOf(received: Received): Comparable {
	if ("vmId" in received) return { vmId: received.vmId, data: received.data };
	const { error, result } = received as CompletionMessage;
	return error === undefined ? { result } : { error };
}

/** Plays what the clients of a trace sent, each message after the completion of the one before, on the trace's clock. */
async function replay(lines: readonly Line[]): Promise<Map<number, RecordingClient>> {
	const clock = new ManualClock();
	const hub = createViewModelHub({ viewModels: createRecordedViewModels(clock), detailedErrors: true });
	const ids = negotiated(lines);
	const clients = new Map<number, RecordingClient>();
	for (const line of lines) {
		clock.advance(Math.max(0, line.t - clock.now()));
		if (line.dir !== "c>s") continue;
		if (line.kind === "upgrade" && typeof line.data !== "string") {
			const token = line.data.url?.split("id=")[1] ?? "";
			const connectionId = ids.get(token) ?? token;
			clients.set(line.conn, new RecordingClient(hub, { connectionId, headers: line.data.headers ?? {} }));
		}
		for (const { type, target = "", arguments: args = [] } of recordsOf(line)) {
			if (type === 1) await clients.get(line.conn)?.invoke(target, ...args);
		}
	}
	for (const client of clients.values()) await client.disconnect();
	assert.equal(clock.pending, 0, "every timer of a view model ends with its client");
	return clients;
}

describe("dotnetify/recorded-traces", () => {
	const files =
		folder === undefined ? [] : readdirSync(folder).filter((name) => name.endsWith(".json-direct.jsonl"));

	if (files.length === 0) {
		it("needs the recorded traces in test/traces, which are not there", function () {
			console.log("      (skipped: no *.json-direct.jsonl in test/traces)");
			this.skip();
		});
	}

	for (const file of files) {
		const differences = DIFFERENCES[file] ?? [];
		const suffix = differences.map(({ reason }) => ` (but: ${reason})`).join("");
		it(`answers ${file} as the original did${suffix}`, async () => {
			const lines = linesOf(file);
			for (const [conn, client] of await replay(lines)) {
				const recorded = lines.filter((line) => line.conn === conn && line.dir === "s>c").flatMap(recordsOf);
				const expected = recorded.map(expectedOf).filter((each) => each !== undefined);
				for (const { change } of differences) change(expected, conn);
				assert.deepEqual(client.received.map(actualOf), expected, `connection ${conn}`);
			}
		});
	}
});
