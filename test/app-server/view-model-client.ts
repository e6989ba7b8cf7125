import { type HubConnection, HubConnectionBuilder, LogLevel } from "@microsoft/signalr";

/** The data of a `Response_VM`. */
export type Data = Readonly<Record<string, unknown>>;

interface Waiting {
	readonly vmId: string;
	matches(data: Data): boolean;
	resolve(data: Data): void;
}

/** The stock SignalR client with dotNetify's three methods. */
export class ViewModelClient {
	readonly #connection: HubConnection;
	readonly #received: { readonly vmId: string; readonly data: Data }[] = [];
	readonly #waiting = new Set<Waiting>();

	private constructor(connection: HubConnection) {
		this.#connection = connection;
		connection.on("Response_VM", ([vmId, text]: [string, string]) =>
			this.#receive(vmId, JSON.parse(text) as Data),
		);
	}

	static async connect(
		url: string,
		headers: Readonly<Record<string, string>> = {},
	): Promise<ViewModelClient> {
		const connection = new HubConnectionBuilder()
			.withUrl(url, { headers: { ...headers } })
			.configureLogging(LogLevel.None)
			.build();
		const client = new ViewModelClient(connection);
		await connection.start();
		return client;
	}

	get connectionId(): string | null {
		return this.#connection.connectionId;
	}

	/** Asks for a view model and waits for its state, which has `member` in it. */
	async request(vmId: string, member = ""): Promise<Data> {
		const state = this.#wait(vmId, (data) => member === "" || member in data);
		await this.#connection.invoke("Request_VM", vmId, { $vmArg: null });
		return state;
	}

	/** Sends values and commands; resolves when the server is done with them. */
	async update(vmId: string, values: Data): Promise<void> {
		await this.#connection.invoke("Update_VM", vmId, values);
	}

	/** The oldest response that was not asked for yet and matches; waits for one where there is none. */
	next(vmId: string, matches: (data: Data) => boolean = () => true): Promise<Data> {
		const at = this.#received.findIndex((response) => response.vmId === vmId && matches(response.data));
		const [found] = at < 0 ? [] : this.#received.splice(at, 1);
		return found ? Promise.resolve(found.data) : this.#wait(vmId, matches);
	}

	/** Responses that nobody asked for. */
	get unread(): readonly { readonly vmId: string; readonly data: Data }[] {
		return this.#received;
	}

	/** Resolves when the server has ended the connection. */
	closed(): Promise<void> {
		return new Promise((resolve) => this.#connection.onclose(() => resolve()));
	}

	async close(): Promise<void> {
		await this.#connection.stop();
	}

	#wait(vmId: string, matches: (data: Data) => boolean): Promise<Data> {
		return new Promise((resolve) => this.#waiting.add({ vmId, matches, resolve }));
	}

	#receive(vmId: string, data: Data): void {
		for (const waiting of this.#waiting) {
			if (waiting.vmId !== vmId || !waiting.matches(data)) continue;
			this.#waiting.delete(waiting);
			waiting.resolve(data);
			return;
		}
		this.#received.push({ vmId, data });
	}
}
