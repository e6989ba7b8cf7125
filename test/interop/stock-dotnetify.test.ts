import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server } from "node:net";
import { createViewModelHub, ViewModel, type ViewModelClient } from "../../lib/dotnetify/index.js";
import type { Hub, HubOptions } from "../../lib/index.js";
import { chatHub } from "./stock/chat-hub.js";
import { DotnetifyPage } from "./stock/dotnetify-page.js";
import type { HubSettings } from "./stock/dotnetify-program.js";
import {
	CHAINED,
	DIRECT,
	DOTNETIFY_PROXY,
	ONE_PROXY,
	type OpenOptions,
	SET_UPS,
	type SetUp,
	Topology,
} from "./stock/set-ups.js";
import { viewModelHub } from "./stock/view-models.js";

/** Seconds until a page tries again, where its own 2, 5 and 10 prove nothing more. */
const SOONER_S = [0.2, 0.5, 1, 2];

/** The servers of one test, and pages that come through their doors in turn. */
class Stage {
	readonly topology: Topology;
	readonly #pages: DotnetifyPage[] = [];

	private constructor(topology: Topology) {
		this.topology = topology;
	}

	static async open(setUp: SetUp, options: Partial<OpenOptions> = {}): Promise<Stage> {
		return new Stage(await Topology.open(setUp, { app: viewModelHub, ...options }));
	}

	async page(hub?: HubSettings, origin?: string): Promise<DotnetifyPage> {
		const { origin: door } = this.topology.door(this.#pages.length);
		const page = await DotnetifyPage.open(origin ?? door, hub);
		this.#pages.push(page);
		return page;
	}

	/** Ends the pages, and fails where one had a trouble that nobody expected. */
	async close(): Promise<void> {
		const ends = await Promise.allSettled(this.#pages.map((page) => page.close()));
		await this.topology.close();
		for (const end of ends) if (end.status === "rejected") throw end.reason;
	}
}

/** Tokens that are signed in. */
const signedIn = new Set<unknown>();

/** For those who are signed in. */
class Account extends ViewModel {
	static readonly authorize = ({ headers }: ViewModelClient): boolean => signedIn.has(headers["token"]);
	Balance = 0;

	get Token(): unknown {
		return this.headers["token"];
	}

	Deposit(amount: number): void {
		this.Balance += amount;
	}
}

for (const setUp of SET_UPS) {
	describe(`interop/stock-dotnetify: dotnetify 5.4, ${setUp.name}`, function () {
		this.timeout(20_000);
		let stage: Stage;
		let page: DotnetifyPage;

		before(async () => {
			stage = await Stage.open(setUp);
			page = await stage.page();
		});
		after(() => stage.close());

		it("connects with its default transports and shows the state", async () => {
			page.connect("Hello", { vmArg: { FirstName: "Ada" } });
			const state = await page.shows("Hello", ({ FullName }) => FullName === "Ada World!");
			assert.deepEqual(state, {
				FirstName: "Ada",
				LastName: "World!",
				FullName: "Ada World!",
				Greeted: 0,
			});
			assert.ok((await page.connection("connected")).connectionId);
		});

		it("dispatches a value and shows what follows from it", async () => {
			page.dispatch("Hello", { LastName: "Lovelace" });
			await page.shows("Hello", ({ FullName }) => FullName === "Ada Lovelace");
		});

		it("runs commands, one after another", async () => {
			for (const times of [1, 2, 3]) page.dispatch("Hello", { Greet: { times } });
			await page.shows("Hello", ({ Greeted }) => Greeted === 6);
			page.dispatch("Hello", { Reset: null });
			await page.shows("Hello", ({ FirstName }) => FirstName === "Hello");
		});

		it("adds, changes and removes items of a list by their keys", async () => {
			page.connect("Items", { state: { List: [] } });
			await page.shows("Items", ({ List }) => (List as unknown[])?.length === 1);
			page.dispatch("Items", { Add: "two" });
			page.dispatch("Items", { Add: "three" });
			await page.shows("Items", ({ List }) => (List as unknown[]).length === 3);
			page.dispatch("Items", { Rename: { Id: 2, Name: "zwei" } });
			page.dispatch("Items", { Remove: 1 });
			const { List } = await page.shows("Items", (state) => (state["List"] as unknown[]).length === 2);
			assert.deepEqual(List, [
				{ Id: 2, Name: "zwei" },
				{ Id: 3, Name: "three" },
			]);
		});

		it("changes one field of one item", async () => {
			page.dispatchListState("Items", { List: { Id: 3, Name: "drei" } });
			await page.shows("Items", ({ Names }) => Names === "zwei drei");
			page.destroy("Items");
		});

		it("sends headers and keeps them up to date", async () => {
			page.connect("Whoami", { headers: { token: "t1" } });
			const state = await page.shows("Whoami", ({ Token }) => Token === "t1");
			assert.equal(state["ConnectionId"], (await page.connection("connected")).connectionId);
			page.dispatch("Whoami", { $headers: { token: "t2" } });
			page.dispatch("Whoami", { Renew: null });
			await page.shows("Whoami", ({ Token }) => Token === "t2");
		});

		it("hears of exceptions where it has a handler", async () => {
			const known = page.exceptions.length;
			page.connect("Nobody");
			page.connect("Faulty");
			await page.shows("Faulty", ({ Value }) => Value === 0);
			page.dispatch("Faulty", { Fail: "no way" });
			await page.until((event) => event.event === "exception" && event.message === "no way");
			const vmIds = page.exceptions.slice(known).map(({ vmId }) => vmId);
			assert.deepEqual(vmIds, ["Nobody", "Faulty"]);
		});

		it("connects view models inside of another one, which work together", async () => {
			page.connect("Master.Selection");
			page.connect("Master.Details");
			await page.shows("Master.Details", ({ Shown }) => Shown === 0);
			await page.shows("Master.Selection", ({ Ids }) => Array.isArray(Ids));
			page.dispatch("Master.Selection", { Select: 2 });
			await page.shows("Master.Details", ({ Shown }) => Shown === 2);
		});

		it("gives each instance id a view model of its own", async () => {
			for (const id of ["a", "b"]) page.connect(`Hello$${id}`, { vmArg: { FirstName: id } });
			for (const id of ["a", "b"]) await page.shows(`Hello$${id}`, ({ FirstName }) => FirstName === id);
			page.dispatch("Hello$a", { FirstName: "c" });
			await page.shows("Hello$a", ({ FullName }) => FullName === "c World!");
			assert.equal(page.shown("Hello$b")["FullName"], "b World!");
		});

		it("disposes what it destroys", async () => {
			page.connect("Ticker");
			await page.shows("Ticker", ({ Ticks }) => Number(Ticks) >= 3);
			page.destroy("Ticker");
			page.connect("Ticker");
			const from = page.events.length;
			// A new view model counts from the beginning.
			await page.until(
				(event) => event.event === "state" && event.vmId === "Ticker" && Number(event.state["Ticks"]) < 3,
				from,
			);
			page.destroy("Ticker");
		});

		it("shares a multicast view model with a page that came through another door", async () => {
			const other = await stage.page();
			const texts = (state: Readonly<Record<string, unknown>>): string[] =>
				((state["Messages"] ?? []) as { readonly Text: string }[]).map(({ Text }) => Text);
			page.connect("Room", { state: { Messages: [] } });
			await page.shows("Room", ({ Joined }) => Joined === 1);
			page.dispatch("Room", { Say: "first" });
			await page.shows("Room", (state) => texts(state).includes("first"));
			other.connect("Room", { state: { Messages: [] } });
			await other.shows("Room", (state) => texts(state).includes("first"));
			await page.shows("Room", ({ Joined }) => Joined === 2);
			other.dispatch("Room", { Say: "second" });
			page.dispatch("Room", { Say: "third" });
			for (const each of [page, other]) {
				const state = await each.shows("Room", (shown) => texts(shown).length >= 3);
				assert.deepEqual(texts(state).toSorted(), ["first", "second", "third"]);
			}
			other.destroy("Room");
			await page.shows("Room", ({ Left }) => Left === 1);
			other.connect("Room", { state: { Messages: [] } });
			await page.shows("Room", ({ Joined }) => Joined === 3);
			await other.close();
			await page.shows("Room", ({ Left }) => Left === 2);
		});
	});
}

for (const setUp of [DIRECT, ONE_PROXY, CHAINED, DOTNETIFY_PROXY]) {
	describe(`interop/stock-dotnetify: dotnetify 5.4, reconnecting, ${setUp.name}`, function () {
		this.timeout(20_000);
		let stage: Stage;

		beforeEach(async () => {
			stage = await Stage.open(setUp);
		});
		afterEach(() => stage.close());

		it("comes back after the server it is connected to was restarted, and asks for its view models", async () => {
			// Direct as it comes, after 2 s.
			const page = await stage.page(setUp === DIRECT ? {} : { reconnectDelay: SOONER_S });
			page.connect("Hello", { vmArg: { FirstName: "Ada" } });
			page.connect("Whoami", { headers: { token: "t1" } });
			await page.shows("Whoami", ({ Token }) => Token === "t1");
			page.dispatch("Hello", { FirstName: "Bob" });
			await page.shows("Hello", ({ FullName }) => FullName === "Bob World!");
			const { connectionId } = await page.connection("connected");
			const from = page.events.length;
			await stage.topology.door(0).restart();
			await page.connection("disconnected", from);
			await page.connection("reconnecting", from);
			const again = await page.connection("connected", from);
			assert.notEqual(again.connectionId, connectionId);
			await page.shows("Whoami", ({ ConnectionId }) => ConnectionId === again.connectionId);
			await page.shows("Hello", ({ FullName }) => FullName === "Ada World!");
			page.dispatch("Hello", { FirstName: "Eve" });
			await page.shows("Hello", ({ FullName }) => FullName === "Eve World!");
		});
	});
}

describe("interop/stock-dotnetify: dotnetify 5.4, when something is missing", function () {
	this.timeout(20_000);
	let stage: Stage;

	afterEach(() => stage.close());

	it("connects without negotiation", async () => {
		stage = await Stage.open(ONE_PROXY);
		const page = await stage.page({ transport: ["serverSentEvents"], skipNegotiation: true });
		page.connect("Hello");
		await page.shows("Hello", ({ FullName }) => FullName === "Hello World!");
		assert.equal((await page.connection("connected")).connectionId, undefined);
	});

	it("starts before its server does", async () => {
		stage = await Stage.open(DIRECT);
		await stage.topology.app.stop();
		const page = await stage.page();
		page.connect("Hello");
		await page.connection("disconnected");
		await stage.topology.app.restart();
		await page.shows("Hello", ({ FullName }) => FullName === "Hello World!");
		assert.doesNotMatch(page.forgive().join(), /unhandledrejection/);
	});

	// Were Server-Sent Events offered, this client would take them at its second try and then ask for nothing.
	it("asks for its view models although its first negotiation failed", async () => {
		stage = await Stage.open(ONE_PROXY);
		const relay = await refuseFirst(stage.topology.door(0).port);
		const origin = `http://127.0.0.1:${(relay.address() as AddressInfo).port}`;
		const page = await stage.page({ reconnectDelay: SOONER_S }, origin);
		page.connect("Hello");
		await page.shows("Hello", ({ FullName }) => FullName === "Hello World!");
		assert.doesNotMatch(page.forgive().join(), /unhandledrejection/);
		await page.close();
		relay.close();
	});

	// What the other tests rely on: they end with no trouble in any page.
	it("is in trouble where nobody handles an exception, or where a server fails a view model's call", async () => {
		stage = await Stage.open(DIRECT);
		const page = await stage.page();
		page.connect("Nobody", { handlesExceptions: false });
		await page.until((event) => event.event === "trouble" && event.text.includes("known view model"));
		assert.ok(page.forgive().length > 0);
		const other = await Stage.open(DIRECT, { app: chatHub });
		const lost = await other.page();
		lost.connect("Hello");
		await lost.until(({ event }) => event === "trouble");
		assert.match(lost.forgive().join(), /unhandledrejection: .*Method does not exist/);
		await other.close();
	});
});

for (const setUp of [ONE_PROXY, DOTNETIFY_PROXY]) {
	describe(`interop/stock-dotnetify: dotnetify 5.4, when the app server is away, ${setUp.name}`, function () {
		this.timeout(20_000);
		let stage: Stage;

		afterEach(() => stage.close());

		it("waits for an app server that comes soon", async () => {
			stage = await Stage.open(setUp);
			await stage.topology.app.stop();
			const page = await stage.page();
			page.connect("Hello");
			await page.connection("connected");
			await stage.topology.app.restart();
			await page.shows("Hello", ({ FullName }) => FullName === "Hello World!");
			assert.deepEqual(page.exceptions, []);
		});

		it("is told of what could not be forwarded, and works again when the app server is back", async () => {
			stage = await Stage.open(setUp, { forwarding: { maxWaitMs: 200 } });
			const page = await stage.page();
			page.connect("Hello");
			await page.shows("Hello", ({ FullName }) => FullName === "Hello World!");
			await stage.topology.app.stop();
			page.dispatch("Hello", { FirstName: "lost" });
			page.connect("Items", { state: { List: [] } });
			const told = (vmId: string) =>
				page.until((event) => event.event === "exception" && event.vmId === vmId);
			for (const vmId of ["Hello", "Items"]) await told(vmId);
			const [first] = page.exceptions;
			assert.equal(first?.name, "ForwardingException");
			assert.match(first?.message ?? "", /could not be delivered/);
			await stage.topology.app.restart();
			for (const vmId of ["Hello", "Items"]) page.destroy(vmId);
			page.connect("Hello", { vmArg: { FirstName: "Back" } });
			await page.shows("Hello", ({ FullName }) => FullName === "Back World!");
			assert.equal(page.events.filter(({ event }) => event === "connection").length, 1);
		});

		it("is current again after the app server behind its proxy has restarted, and never disconnected", async () => {
			stage = await Stage.open(setUp);
			const page = await stage.page();
			page.connect("Hello", { vmArg: { LastName: "There" } });
			await page.shows("Hello", ({ FullName }) => FullName === "Hello There!");
			page.dispatch("Hello", { FirstName: "Typed" });
			await page.shows("Hello", ({ FullName }) => FullName === "Typed There!");
			await stage.topology.app.stop();
			await stage.topology.app.restart();
			await page.shows("Hello", ({ FullName }) => FullName === "Hello There!");
			page.dispatch("Hello", { FirstName: "Again" });
			await page.shows("Hello", ({ FullName }) => FullName === "Again There!");
			assert.equal(page.events.filter(({ event }) => event === "connection").length, 1);
			assert.deepEqual(page.exceptions, []);
		});
	});
}

for (const setUp of SET_UPS.filter(({ hops }) => hops.length > 0)) {
	describe(`interop/stock-dotnetify: dotnetify 5.4, when its token was renewed, ${setUp.name}`, function () {
		this.timeout(20_000);
		let stage: Stage;

		afterEach(() => stage.close());

		it("stays signed in by the token that it was given last, after the app server has restarted", async () => {
			const app = (options: HubOptions): Hub => createViewModelHub({ ...options, viewModels: { Account } });
			stage = await Stage.open(setUp, { app });
			const page = await stage.page();
			signedIn.add("old");
			page.connect("Account", { headers: { token: "old" } });
			await page.shows("Account", ({ Token }) => Token === "old");
			signedIn.add("new");
			page.dispatch("Account", { $headers: { token: "new" } });
			page.dispatch("Account", { Deposit: 5 });
			await page.shows("Account", ({ Balance }) => Balance === 5);
			await stage.topology.app.stop();
			signedIn.delete("old");
			await stage.topology.app.restart();
			await page.shows("Account", ({ Balance, Token }) => Balance === 0 && Token === "new");
			page.dispatch("Account", { Deposit: 7 });
			await page.shows("Account", ({ Balance }) => Balance === 7);
			assert.equal(page.events.filter(({ event }) => event === "connection").length, 1);
			assert.deepEqual(page.exceptions, []);
		});
	});
}

/** A load balancer that has nobody to send its first request to. */
async function refuseFirst(port: number): Promise<Server> {
	let isFirst = true;
	const relay = createServer((socket) => {
		socket.on("error", () => socket.destroy());
		if (isFirst) {
			isFirst = false;
			const answer = "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
			socket.once("data", () => socket.end(answer));
			return;
		}
		const onward = connect(port, "127.0.0.1");
		onward.on("error", () => socket.destroy());
		socket.on("close", () => onward.destroy());
		socket.pipe(onward).pipe(socket);
	});
	relay.listen(0, "127.0.0.1");
	await once(relay, "listening");
	return relay;
}
