import type { Hub, HubOptions } from "../../../lib/index.js";
import { type OpenOptions, SET_UPS, type SetUp, Topology } from "./set-ups.js";
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
	#topology: Topology | undefined;
	#clients: StockClient[] = [];

	constructor(setUp: SetUp, protocol: ProtocolName) {
		this.setUp = setUp;
		this.#protocol = protocol;
	}

	get name(): string {
		return `${this.#protocol}, ${this.setUp.name}`;
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
		const client = await StockClient.connect(url, { protocol: this.#protocol, ...options });
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

/** Describes the same facts for every set-up and both protocols. */
export function describeEach(title: string, facts: (scene: Scene) => void): void {
	for (const scene of everyScene()) {
		describe(`${title}: @microsoft/signalr, ${scene.name}`, function () {
			this.timeout(20_000);
			facts(scene);
		});
	}
}
