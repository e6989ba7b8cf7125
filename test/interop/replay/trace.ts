import { existsSync, readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { HubMessage } from "../../../lib/protocols/index.js";
import { FrameReader, type ProtocolName, protocolOf } from "./frames.js";

/** Compiled tests run from dist/test, the traces stay in test. */
const folder = ["../../traces/", "../../../../test/traces/"]
	.map((path) => fileURLToPath(new URL(path, import.meta.url)))
	.find((path) => existsSync(path));

/** Between a client and its server (`client`), or between a proxy and an app server (`link`). */
export type Leg = "client" | "link";
/** `up` goes to the server, `down` comes from it; on a link the proxy is the client. */
export type Direction = "up" | "down";

interface Event {
	/** Milliseconds since the scene began. */
	readonly t: number;
	readonly leg: Leg;
	/** Number of the WebSocket on its leg. */
	readonly conn: number;
}
/** A WebSocket is opened. */
export interface OpenEvent extends Event {
	readonly kind: "open";
	/** The connection id that negotiate gave for it. */
	readonly connectionId: string;
	readonly headers: Readonly<Record<string, string>>;
}
/** A WebSocket frame as it was recorded, with the hub messages in it. */
export interface FrameEvent extends Event {
	readonly kind: "frame";
	readonly direction: Direction;
	readonly bytes: Buffer;
	readonly isHandshake: boolean;
	readonly messages: readonly HubMessage[];
}
/** A WebSocket is closed by one side. */
export interface CloseEvent extends Event {
	readonly kind: "close";
	readonly direction: Direction;
	readonly code: number;
}
/** What happened, in its order. */
export type TraceEvent = OpenEvent | FrameEvent | CloseEvent;

/** One recorded scene in one set-up. */
export interface Trace {
	readonly file: string;
	/** Such as `04-group`. */
	readonly scenario: string;
	readonly clientProtocol: ProtocolName;
	/** `undefined` where the client speaks to the app server itself. */
	readonly linkProtocol: ProtocolName | undefined;
	readonly events: readonly TraceEvent[];
	/** The negotiate answers that clients got, parsed. */
	readonly negotiations: readonly Readonly<Record<string, unknown>>[];
	/** How often the recorded proxy negotiated with the app server. */
	readonly linkNegotiations: number;
}

interface Line {
	readonly t: number;
	readonly leg: "client-proxy" | "proxy-app" | "note";
	readonly dir: "c>s" | "s>c";
	readonly conn: number;
	readonly kind: "http" | "upgrade" | "text" | "binary" | "close" | "note";
	readonly data: unknown;
}

/** The names of the trace files; none where the folder is missing. */
export function traceFiles(): string[] {
	return folder === undefined
		? []
		: readdirSync(folder)
				.filter((name) => name.endsWith(".jsonl"))
				.sort();
}

/** Reads a trace. */
export function readTrace(file: string): Trace {
	const [scenario = "", setUp = ""] = file.split(".");
	const [clientProtocol, link] = setUp.split("-") as [ProtocolName, ProtocolName | "direct"];
	const linkProtocol = link === "direct" ? undefined : link;
	const reader = new TraceReader(clientProtocol, linkProtocol);
	const text = readFileSync(`${folder}/${file}`, "utf8").trim();
	for (const line of text.split("\n")) reader.read(JSON.parse(line) as Line);
	const { events, negotiations, linkNegotiations } = reader;
	return { file, scenario, clientProtocol, linkProtocol, events, negotiations, linkNegotiations };
}

class TraceReader {
	readonly events: TraceEvent[] = [];
	readonly negotiations: Readonly<Record<string, unknown>>[] = [];
	linkNegotiations = 0;
	readonly #protocols: Readonly<Record<Leg, ProtocolName>>;
	readonly #ids = new Map<string, string>();
	readonly #readers = new Map<string, FrameReader>();

	constructor(client: ProtocolName, link: ProtocolName | undefined) {
		this.#protocols = { client, link: link ?? client };
	}

	read(line: Line): void {
		if (line.leg === "note") return;
		const leg = line.leg === "proxy-app" ? "link" : "client";
		const at = { t: line.t, leg, conn: line.conn } as const;
		const direction = line.dir === "c>s" ? "up" : "down";
		if (line.kind === "http") this.#negotiated(leg, line.data as { body?: string });
		else if (line.kind === "upgrade")
			this.#opened(at, line.data as Pick<OpenEvent, "headers"> & { url: string });
		else if (line.kind === "close")
			this.events.push({ ...at, kind: "close", direction, code: (line.data as { code: number }).code });
		else this.#frame({ ...at, kind: "frame", direction }, line);
	}

	#negotiated(leg: Leg, { body }: { body?: string }): void {
		if (!body) return;
		const answer = JSON.parse(body) as Record<string, unknown>;
		this.#ids.set(String(answer["connectionToken"]), String(answer["connectionId"]));
		if (leg === "client") this.negotiations.push(answer);
		else this.linkNegotiations++;
	}

	#opened(at: Event, { url, headers }: { url: string; headers: Readonly<Record<string, string>> }): void {
		const token = new URL(url, "http://recorded").searchParams.get("id") ?? "";
		this.events.push({ ...at, kind: "open", connectionId: this.#ids.get(token) ?? token, headers });
		const protocol = protocolOf(this.#protocols[at.leg]);
		for (const direction of ["up", "down"])
			this.#readers.set(`${at.leg} ${at.conn} ${direction}`, new FrameReader(protocol, false));
	}

	#frame(at: Event & Pick<FrameEvent, "kind" | "direction">, { kind, data }: Line): void {
		const bytes = Buffer.from(data as string, kind === "binary" ? "base64" : "utf8");
		const reader = this.#readerOf(`${at.leg} ${at.conn} ${at.direction}`, at.leg);
		const isHandshake = !reader.isShaken;
		this.events.push({ ...at, bytes, isHandshake, messages: reader.push(bytes) });
	}

	/** A link that was opened in an earlier scene has had its handshake there. */
	#readerOf(key: string, leg: Leg): FrameReader {
		let reader = this.#readers.get(key);
		if (!reader) {
			reader = new FrameReader(protocolOf(this.#protocols[leg]), true);
			this.#readers.set(key, reader);
		}
		return reader;
	}
}
