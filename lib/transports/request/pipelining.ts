import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";

/** Requests of one socket that may be unanswered at once. Clients of hubs, and proxies, wait for each answer. */
export const MAX_UNANSWERED_REQUESTS = 8;

/** What one socket has asked for and not been answered yet. */
interface Pipeline {
	unanswered: number;
	/** Responses that may still wait for those before them. Made for the first one. */
	behind: Set<ServerResponse> | undefined;
}

const pipelines = new WeakMap<Duplex, Pipeline>();

/**
 * Takes note of a request until it is answered or its socket is gone. HTTP/1.1 lets a client ask again before it was
 * answered (RFC 9112 §9.3.2), and Node hands on all of that at once, without any bound; a response that waits behind
 * another one does not even hear from Node that its socket has closed: here it does, by its event `close`.
 * @returns false where more than {@link MAX_UNANSWERED_REQUESTS} would wait: the socket is destroyed
 */
export function noteRequest(req: IncomingMessage, res: ServerResponse): boolean {
	// Requests of HTTP/2 share a socket and do not wait for each other.
	if (req.httpVersionMajor !== 1) return true;
	const { socket } = req;
	const pipeline = pipelineOf(socket);
	if (pipeline.unanswered >= MAX_UNANSWERED_REQUESTS) {
		socket.destroy();
		return false;
	}
	pipeline.unanswered++;
	res.once("close", () => {
		pipeline.unanswered--;
		pipeline.behind?.delete(res);
	});
	if (!res.socket) followSocket(pipeline, socket, res);
	return true;
}

/** Whether a request of this socket is not answered yet. */
export function isUnanswered(socket: Duplex): boolean {
	return (pipelines.get(socket)?.unanswered ?? 0) > 0;
}

/** Ends a response with its socket, also where its turn on that has not come yet. */
export function cutResponse(res: ServerResponse): void {
	if (res.socket || res.destroyed) res.destroy();
	else res.req.socket.destroy();
}

function pipelineOf(socket: Duplex): Pipeline {
	let pipeline = pipelines.get(socket);
	if (!pipeline) {
		pipeline = { unanswered: 0, behind: undefined };
		pipelines.set(socket, pipeline);
	}
	return pipeline;
}

function followSocket(pipeline: Pipeline, socket: Duplex, res: ServerResponse): void {
	if (!pipeline.behind) {
		pipeline.behind = new Set();
		socket.once("close", () => closeAll(pipeline.behind ?? []));
	}
	pipeline.behind.add(res);
}

function closeAll(behind: Iterable<ServerResponse>): void {
	for (const res of [...behind]) {
		// Node tells the one whose turn it is.
		if (res.socket) continue;
		res.destroy();
		res.emit("close");
	}
}
