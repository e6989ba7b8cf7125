import { Agent, type ClientRequest, type IncomingMessage, request } from "node:http";

/** POSTs of all clients; sockets that wait are closed by themselves. */
const agent = new Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY, timeout: 30_000 });

/** What a request is like. */
export interface Asked {
	readonly method: "GET" | "POST" | "DELETE";
	readonly headers?: Record<string, string>;
	readonly body?: Buffer;
	/** A socket of its own, which can be killed without hurting others. */
	readonly isAlone?: boolean;
}

/** Makes a request that is not sent yet. */
export function start(url: string, { method, headers, isAlone }: Asked): ClientRequest {
	return request(url, { method, agent: isAlone ? new Agent() : agent, ...(headers ? { headers } : {}) });
}

/** Sends it. */
export function responseTo(asked: ClientRequest, body?: Buffer): Promise<IncomingMessage> {
	return new Promise((resolve, reject) => {
		asked.once("response", resolve);
		asked.once("error", reject);
		asked.end(body);
	});
}

/** All of a response. */
export async function bodyOf(response: IncomingMessage): Promise<Buffer> {
	const chunks: Buffer[] = [];
	for await (const chunk of response) chunks.push(chunk as Buffer);
	return Buffer.concat(chunks);
}

/** Asks, and reads the answer. */
export async function answerTo(
	url: string,
	asked: Asked,
): Promise<{ readonly statusCode: number | undefined; readonly body: Buffer }> {
	const sent = start(url, asked);
	try {
		const response = await responseTo(sent, asked.body);
		return { statusCode: response.statusCode, body: await bodyOf(response) };
	} catch (error) {
		// The server may have closed a socket that waited too long, just when it was taken again.
		if (sent.reusedSocket) return answerTo(url, asked);
		throw error;
	}
}
