import { randomUUID } from "node:crypto";
import {
	HttpTransportType,
	type HubConnection,
	HubConnectionBuilder,
	type IStreamResult,
	type ISubscription,
	LogLevel,
} from "@microsoft/signalr";
import { MessagePackHubProtocol } from "@microsoft/signalr-protocol-msgpack";
import { type Deferred, deferred } from "../../lib/base/index.js";
import { RawClient } from "./raw-client.js";
import type { Combination, Subject } from "./subject.js";

/** How a client connects. */
export interface ConnectOptions {
	/** The hub's path with its query. @defaultValue "/hub" */
	readonly path?: string;
	/** Who it is. */
	readonly user?: string;
	readonly reconnects?: boolean;
}

/** A stock client, and what was said to it. */
export interface StockClient {
	readonly connection: HubConnection;
	readonly id: string;
	/** What the hub has sent to `said`. */
	readonly said: unknown[];
	/** Resolves when so much was said. */
	heard(count: number): Promise<readonly unknown[]>;
	/** Resolves with the text that the connection ended with. */
	readonly closed: Promise<string | undefined>;
}

/** The clients of one test at a subject. */
export class Scene {
	readonly subject: Subject;
	readonly combination: Combination;
	readonly #clients: HubConnection[] = [];
	readonly #raws: RawClient[] = [];
	#watcher: HubConnection | undefined;

	constructor(subject: Subject, combination: Combination) {
		this.subject = subject;
		this.combination = combination;
	}

	/** A scope or gate that no other test uses. */
	unique(): string {
		return randomUUID();
	}

	async connect(options: ConnectOptions = {}): Promise<StockClient> {
		const connection = this.build(options);
		const said = new Arrivals<unknown>();
		const closed = deferred<string | undefined>();
		connection.on("said", (text: unknown) => said.add(text));
		connection.onclose((error) => closed.resolve(error?.message));
		await connection.start();
		return {
			...{ connection, said: said.all, closed: closed.promise },
			id: connection.connectionId ?? "",
			heard: (count) => said.reached(count),
		};
	}

	/** A stock client that is not started. */
	build({ path = "/hub", user, reconnects }: ConnectOptions = {}): HubConnection {
		const builder = new HubConnectionBuilder()
			.withUrl(this.subject.url + path, {
				transport: HttpTransportType[this.combination.transport],
				...(user === undefined ? {} : { headers: { "X-User": user } }),
			})
			.configureLogging(LogLevel.None);
		if (this.combination.protocol === "messagepack") builder.withHubProtocol(new MessagePackHubProtocol());
		if (reconnects) builder.withAutomaticReconnect([0]);
		const connection = builder.build();
		this.#clients.push(connection);
		return connection;
	}

	/** A plain WebSocket, with the json handshake done. */
	async raw(path = "/hub"): Promise<RawClient> {
		const raw = await this.socket(path);
		await raw.handshake();
		return raw;
	}

	/** A plain WebSocket without a handshake. */
	async socket(path = "/hub", options: object = {}): Promise<RawClient> {
		const raw = await RawClient.open(this.subject.url + path, options);
		this.#raws.push(raw);
		return raw;
	}

	/** The notes of a scope, as soon as there are as many. */
	async reached(scope: string, count: number): Promise<readonly string[]> {
		const watcher = await this.#watching();
		return watcher.invoke<string[]>("Reached", scope, count);
	}

	async release(gate: string): Promise<void> {
		const watcher = await this.#watching();
		await watcher.invoke("Release", gate);
	}

	/** Gives the subject the time of several round trips, for what must not happen. */
	async meanwhile(): Promise<void> {
		const watcher = await this.#watching();
		for (let trip = 0; trip < 5; trip++) await watcher.invoke("Nothing");
	}

	/** Ends the clients of a test. */
	async leave(): Promise<void> {
		for (const raw of this.#raws.splice(0)) raw.webSocket.terminate();
		await Promise.all(this.#clients.splice(0).map((connection) => connection.stop()));
		this.#watcher = undefined;
	}

	async #watching(): Promise<HubConnection> {
		if (this.#watcher) return this.#watcher;
		const connection = new HubConnectionBuilder()
			.withUrl(`${this.subject.url}/hub`, {
				transport: HttpTransportType.WebSockets,
				skipNegotiation: true,
			})
			.configureLogging(LogLevel.None)
			.build();
		this.#clients.push(connection);
		this.#watcher = connection;
		await connection.start();
		return connection;
	}
}

/** Things that come one by one, and those who wait for them. */
export class Arrivals<Thing> {
	readonly all: Thing[] = [];
	readonly #waiting: { readonly count: number; readonly gate: Deferred<readonly Thing[]> }[] = [];

	add(thing: Thing): void {
		this.all.push(thing);
		for (const { count, gate } of this.#waiting) if (this.all.length >= count) gate.resolve(this.all);
	}

	async reached(count: number): Promise<readonly Thing[]> {
		if (this.all.length >= count) return this.all;
		const gate = deferred<readonly Thing[]>();
		this.#waiting.push({ count, gate });
		return gate.promise;
	}
}

/** A stream as a stock client gets it. */
export interface Received {
	readonly items: readonly unknown[];
	/** Resolves when so many items have come. */
	reached(count: number): Promise<readonly unknown[]>;
	/** Resolves with "complete", or with the text that the stream failed with. */
	readonly ended: Promise<string>;
	readonly subscription: ISubscription<unknown>;
}

export function receive(stream: IStreamResult<unknown>): Received {
	const items = new Arrivals<unknown>();
	const ended = deferred<string>();
	const subscription = stream.subscribe({
		next: (item) => items.add(item),
		error: (error) => ended.resolve(error instanceof Error ? error.message : String(error)),
		complete: () => ended.resolve("complete"),
	});
	return { items: items.all, reached: (count) => items.reached(count), ended: ended.promise, subscription };
}

/** The text that a call fails with. */
export async function failureOf(call: Promise<unknown>): Promise<string> {
	try {
		await call;
	} catch (error) {
		return (error as Error).message;
	}
	throw new Error("The call did not fail.");
}
