import {
	HttpTransportType,
	type HubConnection,
	HubConnectionBuilder,
	HubConnectionState,
	LogLevel,
} from "@microsoft/signalr";
import { MessagePackHubProtocol } from "@microsoft/signalr-protocol-msgpack";
import { deferred } from "../../../lib/base/index.js";

/** What became of the messages of all pages. */
export interface Books {
	/** Answered, and shown. */
	done: number;
	/** Sent without an answer, and found by the next one that had one. */
	sent: number;
	/** Failed while their connection was there and stayed. */
	failed: string[];
	/** What the stock client gave up when its connection ended: under way then, or asked for while it was reconnecting. */
	underWay: number;
	/** Times that a page found another state than its own. */
	wrong: string[];
	reconnects: number;
	/** Connections that ended for good. */
	ended: number;
}

export function emptyBooks(): Books {
	return { done: 0, sent: 0, failed: [], underWay: 0, wrong: [], reconnects: 0, ended: 0 };
}

const RETRY_DELAYS_MS = [0, 50, 100, 100, 200, 200, 400, 400, 800, 800];

/** A stock client that sends numbers to its view model, one after another, and looks whether each has arrived. */
export class Page {
	readonly #books: Books;
	readonly #connection: HubConnection;
	readonly #shown = new Map<string, Record<string, unknown>>();
	/** Counts the connections of this page. */
	#life = 0;
	#number = 0;
	#isStopping = false;
	#ready = deferred();

	constructor(url: string, books: Books, isMessagePack: boolean) {
		this.#books = books;
		const builder = new HubConnectionBuilder()
			.withUrl(`${url}/dotnetify`, { skipNegotiation: true, transport: HttpTransportType.WebSockets })
			.withAutomaticReconnect(RETRY_DELAYS_MS)
			.configureLogging(LogLevel.None);
		if (isMessagePack) builder.withHubProtocol(new MessagePackHubProtocol());
		this.#connection = builder.build();
		this.#connection.on("Response_VM", (response: [string, string]) => this.#respond(response));
		this.#connection.onreconnecting(() => {
			books.reconnects++;
			this.#ready = deferred();
		});
		this.#connection.onreconnected(() => void this.#begin());
		this.#connection.onclose(() => {
			if (!this.#isStopping) books.ended++;
			this.#ready.resolve();
		});
	}

	/** What it shows of a view model. */
	shows(vmId: string): Readonly<Record<string, unknown>> {
		return this.#shown.get(vmId) ?? {};
	}

	async start(): Promise<void> {
		await this.#connection.start();
		await this.#begin();
	}

	/** Sends until it is stopped: every second message without an answer. */
	async run(): Promise<void> {
		while (!this.#isStopping && this.#connection.state !== HubConnectionState.Disconnected) {
			await this.#ready.promise;
			await this.#round();
			// Also where nothing could be sent, others get their turn.
			await new Promise((resolve) => setImmediate(resolve));
		}
	}

	/** Sends no more; resolves when everything is answered. */
	stop(): void {
		this.#isStopping = true;
	}

	async close(): Promise<void> {
		this.#isStopping = true;
		await this.#connection.stop();
	}

	async write(text: string): Promise<void> {
		await this.#connection.invoke("Update_VM", "Board", { Write: text });
	}

	/** A connection is there: the view models are asked for, and numbers begin anew. */
	async #begin(): Promise<void> {
		const life = ++this.#life;
		this.#number = 0;
		this.#shown.clear();
		try {
			for (const vmId of ["Tally", "Board"]) await this.#connection.invoke("Request_VM", vmId, null);
			if (life === this.#life) this.#ready.resolve();
		} catch (thrown) {
			this.#failed(life, thrown);
		}
	}

	async #round(): Promise<void> {
		const [life, connection] = [this.#life, this.#connection];
		if (connection.state !== HubConnectionState.Connected) return;
		try {
			const unanswered = ++this.#number;
			await connection.send("Update_VM", "Tally", { Take: unanswered });
			const number = ++this.#number;
			await connection.invoke("Update_VM", "Tally", { Take: number });
			if (life !== this.#life) return;
			this.#books.sent++;
			this.#books.done++;
			const { Last, Wrong } = this.shows("Tally");
			if (Last !== number || Wrong !== 0) this.#books.wrong.push(`${Last} of ${number}, ${Wrong} wrong`);
		} catch (thrown) {
			this.#failed(life, thrown);
		}
	}

	/** The stock client says so of what it gives up itself; everything else is the server's. */
	#failed(life: number, thrown: unknown): void {
		const text = thrown instanceof Error ? thrown.message : String(thrown);
		const isOver = life !== this.#life || this.#connection.state !== HubConnectionState.Connected;
		const isOwn = /connection being closed|not in the 'Connected' State|closed with an error/i.test(text);
		if (isOver && isOwn) this.#books.underWay++;
		else this.#books.failed.push(text);
	}

	#respond([vmId, text]: [string, string]): void {
		const state = JSON.parse(text) as Record<string, unknown>;
		if ("ExceptionType" in state) this.#books.failed.push(`${vmId}: ${text}`);
		this.#shown.set(vmId, { ...this.#shown.get(vmId), ...state });
	}
}
