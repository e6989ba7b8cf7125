import { HttpTransportType } from "@microsoft/signalr";
import type { Hub, HubOptions } from "../../../lib/index.js";
import {
	DIRECT,
	DOTNETIFY_PROXY,
	ONE_PROXY,
	type OpenOptions,
	SET_UPS,
	type SetUp,
	Topology,
} from "./set-ups.js";
import { type ConnectOptions, type ProtocolName, StockClient } from "./stock-client.js";

const PROTOCOLS: readonly ProtocolName[] = ["json", "messagepack"];

/** Who connects is whom the access token names. */
export const authenticate: NonNullable<HubOptions["authenticate"]> = ({ headers, query }) => {
	const token = headers.authorization?.replace("Bearer ", "") ?? query.get("access_token");
	return token ? { id: token } : undefined;
};

/** The servers and clients of one test: clients come through the doors of the topology in turn. */
export class Scene {
	readonly setUp: SetUp;
	readonly #protocol: ProtocolName;
	readonly #transport: HttpTransportType;
	#topology: Topology | undefined;
	#clients: StockClient[] = [];

	constructor(setUp: SetUp, protocol: ProtocolName, transport = HttpTransportType.WebSockets) {
		this.setUp = setUp;
		this.#protocol = protocol;
		this.#transport = transport;
	}

	get name(): string {
		return `${HttpTransportType[this.#transport]}, ${this.#protocol}, ${this.setUp.name}`;
	}

	/** Whether a client can be cut off, rather than leave. */
	get isOverSockets(): boolean {
		return this.#transport === HttpTransportType.WebSockets;
	}

	get topology(): Topology {
		if (!this.#topology) throw new Error("The scene was not opened.");
		return this.#topology;
	}

	get app(): Hub {
		return this.topology.app.hub;
	}

	async open(options: OpenOptions): Promise<void> {
		this.#topology = await Topology.open(this.setUp, options);
	}

	async connect(options: ConnectOptions = {}): Promise<StockClient> {
		const { url } = this.topology.door(this.#clients.length);
		const http = { transport: this.#transport, ...options.http };
		const client = await StockClient.connect(url, { protocol: this.#protocol, ...options, http });
		this.#clients.push(client);
		return client;
	}

	connectAs(user: string): Promise<StockClient> {
		return this.connect({ http: { accessTokenFactory: () => user } });
	}

	/** As many clients as there are names to take them apart by. */
	async connectAll<Users extends readonly (string | undefined)[]>(
		...users: Users
	): Promise<{ [Index in keyof Users]: StockClient }> {
		const connected: StockClient[] = [];
		for (const user of users) connected.push(await (user ? this.connectAs(user) : this.connect()));
		return connected as { [Index in keyof Users]: StockClient };
	}

	/** Stops the clients; the servers stay. */
	async leave(): Promise<void> {
		const clients = this.#clients;
		this.#clients = [];
		for (const client of clients) await client.stop();
	}

	async close(): Promise<void> {
		await this.leave();
		await this.#topology?.close();
		this.#topology = undefined;
	}
}

/** One scene for every set-up and protocol. */
export function everyScene(): Scene[] {
	return SET_UPS.flatMap((setUp) => PROTOCOLS.map((protocol) => new Scene(setUp, protocol)));
}

/** Scenes whose clients' transport is no socket that can be cut. */
export function everyHttpScene(): Scene[] {
	const { ServerSentEvents, LongPolling } = HttpTransportType;
	return [
		new Scene(DIRECT, "json", LongPolling),
		new Scene(ONE_PROXY, "json", ServerSentEvents),
		new Scene(DOTNETIFY_PROXY, "json", ServerSentEvents),
		new Scene(ONE_PROXY, "messagepack", LongPolling),
	];
}

/** Describes the same facts for scenes: every set-up and both protocols by default. */
export function describeEach(title: string, facts: (scene: Scene) => void, scenes = everyScene()): void {
	for (const scene of scenes) {
		describe(`${title}: @microsoft/signalr, ${scene.name}`, function () {
			this.timeout(20_000);
			facts(scene);
		});
	}
}
