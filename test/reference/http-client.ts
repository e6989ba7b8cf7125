import { type ClientRequest, type IncomingHttpHeaders, type IncomingMessage, request } from "node:http";
import { deferred } from "../../lib/base/index.js";

/** What is asked of a server. */
export interface AskOptions {
	readonly method?: string;
	readonly headers?: Readonly<Record<string, string>>;
	readonly body?: string | Buffer;
}

/** What it has answered. */
export interface Answer {
	readonly status: number;
	readonly headers: IncomingHttpHeaders;
	readonly text: string;
}

/** One request on a connection of its own. */
export async function ask(
	url: string,
	{ method = "GET", headers = {}, body }: AskOptions = {},
): Promise<Answer> {
	const sent = request(url, { method, headers, agent: false });
	const response = await responseTo(sent, body);
	const chunks: Buffer[] = [];
	for await (const chunk of response) chunks.push(chunk as Buffer);
	const text = Buffer.concat(chunks).toString();
	return { status: response.statusCode ?? 0, headers: response.headers, text };
}

function responseTo(sent: ClientRequest, body?: string | Buffer): Promise<IncomingMessage> {
	return new Promise((resolve, reject) => {
		sent.on("response", resolve).on("error", reject);
		// An upgrade that a server takes although it should not.
		sent.on("upgrade", (_response, socket) => {
			socket.destroy();
			reject(new Error("The server has taken the upgrade."));
		});
		sent.end(body);
	});
}

/** What negotiate answers. */
export interface Negotiation {
	readonly negotiateVersion: number;
	readonly connectionId: string;
	readonly connectionToken?: string;
	readonly availableTransports: readonly {
		readonly transport: string;
		readonly transferFormats: readonly string[];
	}[];
	readonly useStatefulReconnect?: boolean;
	readonly error?: string;
}

export async function negotiate(
	hubUrl: string,
	query = "negotiateVersion=1",
	headers: Readonly<Record<string, string>> = {},
): Promise<Negotiation> {
	const answer = await ask(`${hubUrl}/negotiate?${query}`, { method: "POST", headers });
	return JSON.parse(answer.text) as Negotiation;
}

/** A stream of Server-Sent Events, as bytes. */
export class EventStream {
	readonly response: IncomingMessage;
	/** All that came so far. */
	text = "";
	readonly ended: Promise<void>;
	readonly #request: ClientRequest;
	#wake = deferred();

	private constructor(sent: ClientRequest, response: IncomingMessage) {
		this.#request = sent;
		this.response = response;
		const ended = deferred();
		this.ended = ended.promise;
		response.setEncoding("utf8");
		response.on("data", (chunk: string) => {
			this.text += chunk;
			this.#wake.resolve();
			this.#wake = deferred();
		});
		response.on("error", () => {});
		response.on("close", () => ended.resolve());
	}

	static async open(url: string, accept = "text/event-stream"): Promise<EventStream> {
		const sent = request(url, { headers: { Accept: accept }, agent: false });
		return new EventStream(sent, await responseTo(sent));
	}

	/** The text, as soon as it holds `part`. */
	async has(part: string): Promise<string> {
		while (!this.text.includes(part)) await this.#wake.promise;
		return this.text;
	}

	close(): void {
		this.#request.destroy();
	}
}
