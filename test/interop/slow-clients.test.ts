import assert from "node:assert/strict";
import { createViewModelHub, MulticastViewModel } from "../../lib/dotnetify/index.js";
import type { ClientConnection, HubOptions } from "../../lib/hub/index.js";
import { createHub, type Hub } from "../../lib/index.js";
import { StockViewModel } from "../dotnetify/stock-view-model.js";
import { RawClient, until } from "../hub/live.js";
import { CHAINED, DIRECT, HUB_PATH, ONE_PROXY, Topology } from "./stock/set-ups.js";

const CAP = 256 * 1_024;
const FAST = 20;
const PAD = "x".repeat(6_000);

interface Row {
	readonly Id: number;
	readonly Text: string;
}

/** Changes all the time, in every way that a view model can. */
class Board extends MulticastViewModel {
	static readonly itemKeys = { Rows: "Id" };
	Version = 0;
	Pad = "";
	Rows: Row[] = [];

	override groupName(): string {
		return "board";
	}

	change(): void {
		const version = ++this.Version;
		this.Pad = `${version}${PAD}`;
		this.addList("Rows", { Id: version, Text: `row ${version}` });
		if (version % 3 === 0) this.updateList("Rows", { Id: version - 1, Text: "changed" });
		if (version % 2 === 0) this.removeList("Rows", version - 1);
		if (this.Rows.length > 40) this.removeList("Rows", this.Rows[0]?.Id);
		this.pushUpdates();
		if (version % 10 === 0) this.send({ groupName: "board", properties: { Event: version } });
	}
}

/** A client that shows a view model with the stock client's own code. */
class Page {
	readonly raw: RawClient;
	readonly view = new StockViewModel();
	/** Versions that it was told of, one by one. */
	readonly versions: number[] = [];
	readonly events: number[] = [];

	private constructor(raw: RawClient) {
		this.raw = raw;
		raw.webSocket.on("message", () => this.#take());
	}

	static async open(port: number): Promise<Page> {
		const raw = await RawClient.open(port, HUB_PATH);
		await raw.handshake();
		const page = new Page(raw);
		raw.invoke("1", "Request_VM", "Board", null);
		await until(() => page.view.state["Version"] !== undefined);
		return page;
	}

	#take(): void {
		for (const record of this.raw.records.splice(0)) {
			const { type, target, arguments: args } = JSON.parse(record) as Record<string, unknown>;
			if (type !== 1 || target !== "Response_VM") continue;
			const [[, text = ""] = []] = args as [[string, string]?];
			const data = JSON.parse(text) as { readonly Version?: number; readonly Event?: number };
			if (data.Version !== undefined) this.versions.push(data.Version);
			if (data.Event !== undefined) this.events.push(data.Event);
			this.view.take(text);
		}
	}
}

function boardHub(options: HubOptions): Hub {
	return createViewModelHub({ ...options, viewModels: { Board: () => board } }) as unknown as Hub;
}

let board: Board;

/** What a page has of the view model, in an order of its own. */
function shown({ view }: Page): unknown {
	const { Version, Pad, Rows } = view.state;
	return { Version, Pad, Rows };
}

for (const setUp of [DIRECT, ONE_PROXY, CHAINED]) {
	describe(`interop/slow-clients: ${setUp.name}`, function () {
		this.timeout(60_000);
		let topology: Topology;

		beforeEach(async () => {
			board = new Board();
			topology = await Topology.open(setUp, { app: boardHub, doorOptions: { maxBufferedBytes: CAP } });
		});
		afterEach(() => topology.close());

		it("keeps state from one that does not read, and shows it what is true when it reads", async () => {
			const { hub, port } = topology.door(0);
			const slow = await Page.open(port);
			const [connection] = [...hub.lifetime] as ClientConnection[];
			assert.ok(connection);
			const fast = await Promise.all(Array.from({ length: FAST }, () => Page.open(port)));
			const ends: unknown[] = [];
			hub.on("disconnected", (_ctx, { error }) => void ends.push(error));
			slow.raw.webSocket.pause();
			const first = board.Version;
			const change = async (): Promise<void> => {
				board.change();
				await until(() => fast.every(({ versions }) => versions.at(-1) === board.Version));
			};
			while (!connection.isBehind) await change();
			for (let more = 0; more < 50; more++) await change();

			const all = Array.from({ length: board.Version - first }, (_, at) => first + at + 1);
			for (const page of fast) assert.deepEqual(page.versions.slice(-all.length), all);
			assert.deepEqual([ends, slow.raw.webSocket.isPaused], [[], true]);
			slow.raw.webSocket.resume();
			await until(() => slow.versions.at(-1) === board.Version && !connection.isBehind);
			const events = all.filter((version) => version % 10 === 0);
			await until(() => slow.events.length === events.length);

			assert.deepEqual(slow.events, events);
			assert.ok(slow.versions.length < all.length, "state was left out");
			const expected = { Version: board.Version, Pad: board.Pad, Rows: board.Rows };
			for (const page of [slow, ...fast]) assert.deepEqual(shown(page), expected);
			await change();
			await until(() => slow.versions.at(-1) === board.Version);
			assert.deepEqual(shown(slow), shown(fast[0] as Page));
		});

		it("ends one that does not read events, once", async () => {
			const { hub, port } = topology.door(0);
			const told: unknown[] = [];
			hub.observe({ slowClientClosed: () => void told.push("slow") });
			const slow = await Page.open(port);
			hub.on("disconnected", (_ctx, { error }) => void told.push((error as { code?: unknown })?.code));
			const gone: string[] = [];
			topology.app.hub.on("disconnected", (_ctx, { kind }) => void gone.push(kind));
			slow.raw.webSocket.pause();
			while (told.length === 0) {
				await topology.app.hub.clients.all.send("event", PAD);
				await new Promise(setImmediate);
			}
			await until(() => gone.length === 1 && topology.app.hub.lifetime.size === 0);
			slow.raw.webSocket.resume();
			await slow.raw.closed;
			assert.deepEqual([told, gone], [["slow", "ERR_SLOW_CLIENT"], ["lost"]]);
		});
	});
}

for (const setUp of [DIRECT, ONE_PROXY, CHAINED]) {
	describe(`interop/slow-clients, streams: ${setUp.name}`, function () {
		this.timeout(60_000);

		it("makes no more items than a client reads, and loses none", async () => {
			let made = 0;
			const methods = {
				*count(_ctx: unknown, items: unknown) {
					while (made < (items as number)) yield `${made++}${PAD}`;
				},
			};
			const app = (options: HubOptions): Hub => createHub()({ ...options, methods }) as unknown as Hub;
			const topology = await Topology.open(setUp, { app, doorOptions: { maxBufferedBytes: CAP } });
			try {
				const raw = await RawClient.open(topology.door(0).port, HUB_PATH);
				await raw.handshake();
				const ITEMS = 5_000;
				raw.webSocket.pause();
				raw.send({ type: 4, invocationId: "1", target: "count", arguments: [ITEMS] });
				await until(() => [...topology.app.hub.lifetime].some(({ wire }) => wire.writable?.() !== undefined));
				assert.ok(made < ITEMS, "the generator waits");
				raw.webSocket.resume();
				const got: number[] = [];
				for (;;) {
					const { type, item } = (await raw.next()) as { readonly type: number; readonly item?: string };
					if (type === 3) break;
					if (type === 2) got.push(Number.parseInt(item ?? "", 10));
				}
				assert.deepEqual(
					got,
					Array.from({ length: ITEMS }, (_, at) => at),
				);
				raw.webSocket.terminate();
			} finally {
				await topology.close();
			}
		});
	});
}
