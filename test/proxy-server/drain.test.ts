import assert from "node:assert/strict";
import { HttpTransportType, type HubConnection, HubConnectionBuilder, LogLevel } from "@microsoft/signalr";
import { ConnectionOver, type End, HubClient } from "../chaos/clients/hub-client.js";
import { until } from "../chaos/until.js";
import { Scene, type Station } from "../forwarding/support/scene.js";
import { ProxyProcess } from "./proxy-process.js";

const LINK_SECRET = "the-secret-of-this-test";
const CLIENTS = 12;
/** Answers that each client has before the proxy is asked to end. */
const WARM_UP = 20;
const NOTES_PER_CALL = 3;
const AWAY: End = { how: "closed", allowReconnect: true, error: undefined };

/** A client that sends numbers, with and without answers, for as long as it is connected. */
class Counting {
	/** Numbers that were answered. */
	readonly answered: number[] = [];
	/** Numbers whose answer did not come before the connection was over. */
	readonly unanswered: number[] = [];
	sent = 0;
	end: End | undefined;
	readonly name: string;
	readonly #client: HubClient;

	private constructor(name: string, client: HubClient) {
		this.name = name;
		this.#client = client;
		void client.ended.then((end) => {
			this.end = end;
		});
	}

	static async open(name: string, url: string): Promise<Counting> {
		return new Counting(name, await HubClient.open(url, () => undefined));
	}

	/** Resolves when the connection is over. @throws Error where a call fails in any other way */
	async run(): Promise<void> {
		while (this.#note()) await this.#call();
		await this.#client.ended;
	}

	/** False where the connection is over. */
	#note(): boolean {
		for (let at = 0; at < NOTES_PER_CALL; at++) {
			if (!this.#client.send("Update_VM", this.name, this.sent + 1)) return false;
			this.sent++;
		}
		return true;
	}

	async #call(): Promise<void> {
		const number = ++this.sent;
		try {
			await this.#client.invoke("Update_VM", this.name, number);
			this.answered.push(number);
		} catch (error) {
			if (!(error instanceof ConnectionOver)) throw error;
			this.unanswered.push(number);
		}
	}
}

describe("proxy-server/main with clients", function () {
	this.timeout(30_000);
	let scene: Scene;
	let app: Station;
	let proxy: ProxyProcess | undefined;
	const stock: HubConnection[] = [];

	beforeEach(async () => {
		scene = new Scene("native");
		app = await scene.app({ accept: { secrets: [LINK_SECRET] } });
	});
	afterEach(async () => {
		await Promise.all(stock.splice(0).map((connection) => connection.stop()));
		proxy?.signal("SIGKILL");
		await proxy?.exitCode;
		await scene.close();
	});

	/** A proxy that has reached the app server; resolves with its url. */
	async function start(environment: Record<string, string>): Promise<string> {
		proxy = new ProxyProcess({ PORT: "0", APPSERVER_URL: app.url, LINK_SECRET, ...environment });
		const url = await proxy.url;
		await until(async () => (await statusOf(`${url}/ready`)) === 200);
		return url;
	}

	async function statusOf(url: string, method = "GET"): Promise<number> {
		const answer = await fetch(url, { method, headers: { connection: "close" } });
		await answer.arrayBuffer();
		return answer.status;
	}

	/** Connects a stock client; `isAway` resolves when it is sent away to connect again. */
	async function reconnecting(
		url: string,
		transport: HttpTransportType,
	): Promise<{ readonly isAway: Promise<void> }> {
		const connection = new HubConnectionBuilder()
			.withUrl(url, { transport })
			.withAutomaticReconnect([600_000])
			.configureLogging(LogLevel.None)
			.build();
		stock.push(connection);
		const isAway = new Promise<void>((resolve) => connection.onreconnecting(() => resolve()));
		await connection.start();
		return { isAway };
	}

	it("drains on SIGTERM: /ready says 404, then its clients are sent away one after another, and nothing is lost", async () => {
		const url = await start({ DRAIN_MS: "2000", CLOSE_SPREAD_MS: "2000" });
		const hub = `${url}/dotnetify`;
		const clients = await Promise.all(
			Array.from({ length: CLIENTS }, (_, at) => Counting.open(`client${at}`, hub)),
		);
		const { ServerSentEvents, LongPolling } = HttpTransportType;
		const others = await Promise.all([reconnecting(hub, ServerSentEvents), reconnecting(hub, LongPolling)]);
		const over = Promise.all(clients.map((client) => client.run()));
		await until(() => clients.every(({ answered }) => answered.length >= WARM_UP));

		proxy?.signal("SIGTERM");
		await until(async () => (await statusOf(`${url}/ready`)) === 404);
		assert.ok(
			clients.every(({ end }) => end === undefined),
			"load balancers are told first",
		);
		assert.equal(
			await statusOf(`${hub}/negotiate?negotiateVersion=1`, "POST"),
			200,
			"they may not have noticed",
		);

		await until(() => clients.some(({ end }) => end !== undefined));
		const served = clients.filter(({ end }) => end === undefined);
		const before = served.map(({ answered }) => answered.length);
		assert.deepEqual(
			await Promise.all([
				statusOf(`${hub}/negotiate?negotiateVersion=1`, "POST"),
				statusOf(`${url}/ready`),
				statusOf(`${url}/health`),
			]),
			[503, 404, 200],
		);
		assert.ok(served.length > CLIENTS / 2, "they are not sent away at once");
		await until(() => served.some(({ answered }, at) => answered.length > (before[at] ?? 0)));

		await Promise.all([over, ...others.map(({ isAway }) => isAway)]);
		assert.equal(await proxy?.exitCode, 0, proxy?.written);
		assert.deepEqual(
			clients.map(({ end }) => end),
			clients.map(() => AWAY),
		);
		await scene.until(() => app.disconnected.length === CLIENTS + others.length);
		assertNothingLost(clients);
		assert.deepEqual([app.undeliverable, proxy?.warnings], [[], []]);
	});

	/** What came of a client: all that it sent, once and in order, up to where its Close met it. */
	function receivedOf({ name, sent, answered }: Counting): number {
		const received = app.calls.flatMap(({ vmId, data }) => (vmId === name ? (data as number) : []));
		assert.deepEqual(
			received,
			Array.from({ length: received.length }, (_, at) => at + 1),
		);
		assert.ok(received.length >= (answered.at(-1) ?? 0));
		assert.ok(sent - received.length <= NOTES_PER_CALL + 1, "the rest crossed with the Close");
		return received.length;
	}

	/** The same, and all that was done was answered. */
	function assertNothingLost(clients: readonly Counting[]): void {
		let [sent, came] = [0, 0];
		for (const client of clients) {
			const received = receivedOf(client);
			assert.deepEqual(
				client.unanswered.filter((number) => number <= received),
				[],
			);
			sent += client.sent;
			came += received;
		}
		console.log(`      ${sent} sent, ${came} delivered, ${sent - came} crossed with their client's Close`);
	}

	it("ends the drain at the second signal, and still sends its clients away in order", async () => {
		const url = await start({ DRAIN_MS: "600000", CLOSE_SPREAD_MS: "600000" });
		const clients = await Promise.all(
			Array.from({ length: 3 }, (_, at) => Counting.open(`client${at}`, `${url}/dotnetify`)),
		);
		const over = Promise.all(clients.map((client) => client.run()));
		await until(() => clients.every(({ answered }) => answered.length >= WARM_UP));
		proxy?.signal("SIGTERM");
		await until(async () => (await statusOf(`${url}/ready`)) === 404);
		assert.ok(clients.every(({ end }) => end === undefined));
		proxy?.signal("SIGTERM");
		await over;
		assert.equal(await proxy?.exitCode, 0, proxy?.written);
		for (const { end } of clients) assert.deepEqual(end, AWAY);
		await scene.until(() => app.disconnected.length === clients.length);
		for (const client of clients) receivedOf(client);
	});
});
