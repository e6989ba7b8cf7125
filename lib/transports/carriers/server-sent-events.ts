import type { OutgoingHttpHeaders, ServerResponse } from "node:http";
import type { PayloadFormat } from "../connection.js";
import { cutResponse } from "../request/pipelining.js";
import type { CarrierParts } from "./carrier-connection.js";
import { HttpConnection } from "./http-connection.js";

const FORMATS: readonly PayloadFormat[] = ["Text"];
const LF = 10;
const CR = 13;
const DATA = Buffer.from("data: ");
const LINE_END = Buffer.from("\r\n");

/** The headers of the stream, as measured on ASP.NET Core 10; `X-Accel-Buffering` keeps nginx from holding events back. */
const HEADERS = {
	"Content-Type": "text/event-stream",
	"Cache-Control": "no-cache,no-store",
	Pragma: "no-cache",
	"Content-Encoding": "identity",
	"X-Accel-Buffering": "no",
} as const;

/** `payload` as one event: each of its lines is a `data:` line (HTML Standard, "Server-sent events"). */
export function writeEvent(payload: Buffer): Buffer {
	if (!payload.includes(LF)) return Buffer.concat([DATA, payload, LINE_END, LINE_END]);
	const parts: Buffer[] = [];
	for (let start = 0; start <= payload.length; ) {
		const lf = payload.indexOf(LF, start);
		const end = lf < 0 ? payload.length : lf;
		// The reader ends a line at CR LF as well: a CR in front of the LF would be lost in any case.
		const last = lf > start && payload[end - 1] === CR ? end - 1 : end;
		parts.push(DATA, payload.subarray(start, last), LINE_END);
		start = end + 1;
	}
	return Buffer.concat([...parts, LINE_END]);
}

/** A connection whose server sends events over one response that stays open. */
export class ServerSentEventsConnection extends HttpConnection {
	readonly transport = "ServerSentEvents";
	readonly formats: readonly PayloadFormat[] = FORMATS;
	readonly hasInherentKeepAlive = false;
	readonly #res: ServerResponse;

	/** Sends the headers of `res`, and a comment, so that the client knows that the stream is open. */
	static open(
		parts: CarrierParts,
		res: ServerResponse,
		headers: OutgoingHttpHeaders,
	): ServerSentEventsConnection {
		return new ServerSentEventsConnection(parts, res, headers);
	}

	private constructor(parts: CarrierParts, res: ServerResponse, headers: OutgoingHttpHeaders) {
		super(parts);
		this.#res = res;
		res.writeHead(200, { ...HEADERS, ...headers });
		res.write(":\r\n");
		res.on("drain", () => this.drained());
		res.once("close", () => this.gone());
	}

	get bufferedBytes(): number {
		return this.gathered + this.#res.writableLength;
	}

	protected write(): void {
		if (this.gathered === 0 || this.#res.destroyed) return;
		this.#res.write(writeEvent(this.takeChunks()), this.takenBy(this.#res));
		this.drained();
	}

	close(): void {
		if (this.isEnded) return;
		this.write();
		this.end();
		this.#res.end();
		this.cutLater();
		this.reportIfGone();
	}

	protected cut(): void {
		cutResponse(this.#res);
	}
}
