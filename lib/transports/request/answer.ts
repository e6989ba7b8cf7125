import { type IncomingMessage, type OutgoingHttpHeaders, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";

/** A whole HTTP answer. */
export interface Answer {
	readonly status: number;
	readonly headers?: OutgoingHttpHeaders | undefined;
	/** @defaultValue empty */
	readonly body?: string | Buffer | undefined;
	/** @defaultValue text/plain; none of a 204 */
	readonly contentType?: string | undefined;
	/** Why it is not what was asked for: for the log, and never sent. @defaultValue the body */
	readonly reason?: string | undefined;
}

/** On every answer to a poll, as measured on ASP.NET Core 10, and on every refused GET: a cache may keep even a 404. */
export const NO_CACHE: OutgoingHttpHeaders = {
	"Cache-Control": "no-cache, no-store",
	Pragma: "no-cache",
	Expires: "Thu, 01 Jan 1970 00:00:00 GMT",
};

/** How much of a request's body is read and thrown away before its connection is cut, in bytes. */
const MAX_IGNORED_BODY_BYTES: number = 64 * 1024;

/** Sends `answer`, unless the response is over already. */
export function writeAnswer(res: ServerResponse, answer: Answer): void {
	if (res.headersSent || res.writableEnded) return;
	const body = typeof answer.body === "object" ? answer.body : Buffer.from(answer.body ?? "");
	const contentType = answer.contentType ?? (answer.status === 204 ? undefined : "text/plain");
	res.writeHead(answer.status, {
		...(contentType === undefined ? {} : { "Content-Type": contentType }),
		...(answer.status === 204 ? {} : { "Content-Length": body.length }),
		...answer.headers,
	});
	res.end(body);
}

/** Reads a body that nobody wants, so that the connection can be used again; a long one ends the connection. */
export function drainBody(req: IncomingMessage): void {
	let bytes = 0;
	req.on("data", (chunk: Buffer) => {
		bytes += chunk.length;
		if (bytes > MAX_IGNORED_BODY_BYTES) req.destroy();
	});
	req.on("error", ignore);
}

function ignore(): void {}

/** Keeps a socket's error from ending the process; its `close` follows anyhow. */
export function ignoreErrors(socket: Duplex): void {
	socket.on("error", ignore);
}

/**
 * A response on the raw socket of an upgrade request, so that a refusal is an ordinary HTTP answer
 * (RFC 9110 §7.8 lets a server ignore an upgrade). The connection ends after it.
 */
export function responseOn(req: IncomingMessage, socket: Duplex): ServerResponse {
	const res = new ServerResponse(req);
	res.shouldKeepAlive = false;
	// What carries the request is a net.Socket or, in tests and tunnels, any Duplex: the response writes to either.
	res.assignSocket(socket as Parameters<typeof res.assignSocket>[0]);
	// Nobody else reads it, and an unread socket does not show its end.
	socket.resume();
	socket.once("end", () => {
		if (res.headersSent && !res.writableEnded) socket.destroy();
	});
	res.on("finish", () => {
		res.detachSocket(socket as Parameters<typeof res.detachSocket>[0]);
		socket.end(() => socket.destroy());
	});
	return res;
}
