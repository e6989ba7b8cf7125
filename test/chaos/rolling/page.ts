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
	/** Made while the stock client was itself reconnecting, and refused by it. */
	whileReconnecting: number;
	/** Sent, and not known to have arrived when a Close came. */
	inFlight: number;
	/** Times that a page found another state than its own. */
	wrong: string[];
	reconnects: number;
	/** Connections that ended for good. */
	ended: number;
}

export function emptyBooks(): Books {
	const losses = { failed: [], whileReconnecting: 0, inFlight: 0, wrong: [] };
	return { ...losses, done: 0, sent: 0, reconnects: 0, ended: 0 };
}

const RETRY_DELAYS_MS = [0, 50, 100, 100, 200, 200, 400, 400, 800, 800];
/** How long a page waits that was refused, in milliseconds. */
const REFUSED_MS = 20;

/** What the stock client says of a message that it does not send, and of one whose answer it does not wait for any more. */
const REFUSED = /not in the 'Connected' State/i;
const CANCELED = /connection being closed|closed with an error/i;
const textOf = (thrown: unknown): string => (thrown instanceof Error ? thrown.message : String(thrown));

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
			void this.#runAway();
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
		let unanswered = 0;
		try {
			await connection.send("Update_VM", "Tally", { Take: ++this.#number });
			unanswered++;
			const number = ++this.#number;
			await connection.invoke("Update_VM", "Tally", { Take: number });
			if (life !== this.#life) return;
			this.#books.sent++;
			this.#books.done++;
			const { Last, Wrong } = this.shows("Tally");
			if (Last !== number || Wrong !== 0) this.#books.wrong.push(`${Last} of ${number}, ${Wrong} wrong`);
		} catch (thrown) {
			this.#failed(life, thrown, unanswered);
		}
	}

	/** Goes on as one who does not look whether there is a connection: with what may be asked at any time. */
	async #runAway(): Promise<void> {
		const connection = this.#connection;
		while (!this.#isStopping && connection.state === HubConnectionState.Reconnecting) {
			for (const how of ["send", "invoke"] as const)
				await connection[how]("Request_VM", "Board", null).catch((thrown) => this.#failedAway(thrown));
			await new Promise((resolve) => setTimeout(resolve, REFUSED_MS));
		}
	}

	#failedAway(thrown: unknown): void {
		const text = textOf(thrown);
		if (REFUSED.test(text) || CANCELED.test(text)) this.#books.whileReconnecting++;
		else this.#books.failed.push(text);
	}

	/**
	 * The stock client says so of what it gives up itself; everything else is the server's. `unanswered`: what was sent
	 * before, of which the answer was to tell.
	 */
	#failed(life: number, thrown: unknown, unanswered = 0): void {
		const [text, books] = [textOf(thrown), this.#books];
		const isOver = life !== this.#life || this.#connection.state !== HubConnectionState.Connected;
		if (isOver && CANCELED.test(text)) books.inFlight += 1 + unanswered;
		else if (isOver && REFUSED.test(text)) {
			books.whileReconnecting++;
			books.inFlight += unanswered;
		} else books.failed.push(text);
	}

	#respond([vmId, text]: [string, string]): void {
		const state = JSON.parse(text) as Record<string, unknown>;
		if ("ExceptionType" in state) this.#books.failed.push(`${vmId}: ${text}`);
		this.#shown.set(vmId, { ...this.#shown.get(vmId), ...state });
	}
}
