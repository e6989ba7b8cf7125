import {
	type HubConnection,
	HubConnectionBuilder,
	type IHttpConnectionOptions,
	LogLevel,
} from "@microsoft/signalr";
import { MessagePackHubProtocol } from "@microsoft/signalr-protocol-msgpack";
import { WebSocket } from "ws";

export type ProtocolName = "json" | "messagepack";

/** The data of a `Response_VM`. */
export type Data = Readonly<Record<string, unknown>>;

export interface ConnectOptions {
	readonly protocol?: ProtocolName;
	readonly http?: IHttpConnectionOptions;
	/** Waits between the attempts of `withAutomaticReconnect`, in milliseconds; none: it does not reconnect. */
	readonly reconnectDelaysMs?: number[];
	/** Last changes before the connection is started. */
	readonly prepare?: (connection: HubConnection) => void;
}

interface Waiting {
	readonly vmId: string;
	matches(data: Data): boolean;
	resolve(data: Data): void;
}

/** `@microsoft/signalr` as it comes, with what it received from view models. */
export class StockClient {
	readonly connection: HubConnection;
	/** Everything that was received for each view model, in order. */
	readonly received = new Map<string, Data[]>();
	readonly #unread: { readonly vmId: string; readonly data: Data }[] = [];
	readonly #waiting = new Set<Waiting>();
	readonly #sockets: WebSocket[] = [];

	private constructor(url: string, options: ConnectOptions) {
		const http = { ...options.http, WebSocket: this.#socketClass() };
		const builder = new HubConnectionBuilder().withUrl(url, http as IHttpConnectionOptions);
		builder.configureLogging(LogLevel.None);
		if (options.protocol === "messagepack") builder.withHubProtocol(new MessagePackHubProtocol());
		if (options.reconnectDelaysMs) builder.withAutomaticReconnect(options.reconnectDelaysMs);
		this.connection = builder.build();
		this.connection.on("Response_VM", ([vmId, text]: [string, string]) =>
			this.#receive(vmId, JSON.parse(text) as Data),
		);
	}

	static async connect(url: string, options: ConnectOptions = {}): Promise<StockClient> {
		const client = new StockClient(url, options);
		options.prepare?.(client.connection);
		await client.connection.start();
		return client;
	}

	get id(): string {
		return this.connection.connectionId as string;
	}

	/** Asks for a view model and waits for its state. */
	async request(vmId: string, vmArg: Data | null = null, headers: Data | null = null): Promise<Data> {
		const state = this.next(vmId);
		await this.connection.invoke("Request_VM", vmId, { $vmArg: vmArg, $headers: headers });
		return state;
	}

	/** Sends values and commands; resolves when the server is done with them. */
	async update(vmId: string, values: Data): Promise<void> {
		await this.connection.invoke("Update_VM", vmId, values);
	}

	/** Sends values and commands, and waits for the next response. */
	async react(vmId: string, values: Data): Promise<Data> {
		const reaction = this.next(vmId);
		await this.update(vmId, values);
		return reaction;
	}

	async dispose(vmId: string): Promise<void> {
		await this.connection.invoke("Dispose_VM", vmId);
	}

	/** The oldest response that was not read yet and matches; waits for one where there is none. */
	next(vmId: string, matches: (data: Data) => boolean = () => true): Promise<Data> {
		const at = this.#unread.findIndex((response) => response.vmId === vmId && matches(response.data));
		const [found] = at < 0 ? [] : this.#unread.splice(at, 1);
		if (found) return Promise.resolve(found.data);
		return new Promise((resolve) => this.#waiting.add({ vmId, matches, resolve }));
	}

	/** Cuts the connection without a word. */
	cut(): void {
		this.#sockets.at(-1)?.terminate();
	}

	async stop(): Promise<void> {
		await this.connection.stop();
	}

	#receive(vmId: string, data: Data): void {
		this.received.set(vmId, [...(this.received.get(vmId) ?? []), data]);
		for (const waiting of this.#waiting) {
			if (waiting.vmId !== vmId || !waiting.matches(data)) continue;
			this.#waiting.delete(waiting);
			waiting.resolve(data);
			return;
		}
		this.#unread.push({ vmId, data });
	}

	#socketClass(): new (address: string, protocols?: string[], options?: object) => WebSocket {
		const sockets = this.#sockets;
		return class extends WebSocket {
			constructor(address: string, protocols?: string[], options?: object) {
				super(address, protocols, options);
				sockets.push(this);
			}
		};
	}
}
