import assert from "node:assert/strict";
import { type Deferred, deferred } from "../../../lib/base/index.js";
import { createHub, type HubOptions, type InvocationContext, method } from "../../../lib/index.js";
import { Farm, type Place } from "./farm.js";

describe("forwarding/upstream moves", () => {
	let farm: Farm;
	/** What methods were called with, at which app server. */
	let calls: string[];
	let gate: Deferred<void>;

	beforeEach(() => {
		farm = new Farm();
		calls = [];
		gate = deferred();
	});
	afterEach(async () => {
		gate.resolve();
		await farm.close();
	});

	/** An app server whose methods tell what they are called with. */
	function app(name: string, options: HubOptions = {}): Promise<Place> {
		const tell = (what: string): void => {
			calls.push(`${name}: ${what}`);
			farm.changed();
		};
		const methods = {
			note: (_ctx: InvocationContext, what: string) => tell(what),
			where: () => name,
			hang: async () => {
				tell("hang");
				await gate.promise;
				return name;
			},
			count: method({ stream: true }, async function* (ctx: InvocationContext) {
				yield 1;
				tell("count");
				await new Promise((resolve) => ctx.signal.addEventListener("abort", resolve, { once: true }));
			}),
			sum: method({ streams: 1 }, async (_ctx: InvocationContext, numbers: AsyncIterable<number>) => {
				let sum = 0;
				for await (const number of numbers) {
					sum += number;
					tell(`item ${number}`);
				}
				return `${name} ${sum}`;
			}),
		};
		return farm.place((log) => createHub()({ log, recovery: "reopen", ...options, methods }), {
			takesLinks: true,
		});
	}

	interface Stage {
		readonly apps: Readonly<Record<string, Place>>;
		readonly proxy: Place;
	}

	async function open(options: HubOptions = {}): Promise<Stage> {
		const apps = { a: await app("a", options), b: await app("b", options) };
		const proxy = await farm.proxy([apps.a.url, apps.b.url]);
		await farm.until(() => proxy.hub.counters.get("linkSessions") === 2);
		return { apps, proxy };
	}

	const isDraining = (place: Place | undefined): boolean =>
		[...(place?.hub.lifetime ?? [])].some((client) => client.isDraining);

	const other = (name: string): string => (name === "a" ? "b" : "a");

	it("end a client once, behind what it has sent meanwhile, where it leaves on the way", async () => {
		const { apps, proxy } = await open();
		const page = await farm.page(proxy, []);
		const home = String(await page.connection.invoke("where"));
		const hanging = page.connection.invoke("hang").catch(() => "canceled");
		await farm.until(() => calls.includes(`${home}: hang`));
		const stopped = apps[home]?.stop();
		await farm.eventually(() => isDraining(apps[home]));
		for (const what of ["one", "two"]) await page.connection.send("note", what);
		await page.connection.stop();
		assert.equal(await hanging, "canceled");
		gate.resolve();
		await stopped;
		await farm.until(() => apps[other(home)]?.disconnected.length === 1);
		assert.deepEqual(calls.slice(1), [`${other(home)}: one`, `${other(home)}: two`]);
		assert.deepEqual([apps[home]?.disconnected, apps[home]?.hub.lifetime.size], [["migrated"], 0]);
		assert.deepEqual([apps[other(home)]?.hub.lifetime.size, proxy.undeliverable], [0, []]);
	});

	it("answer what runs first, and let what comes meanwhile follow in order", async () => {
		const { apps, proxy } = await open();
		const page = await farm.page(proxy, []);
		const home = String(await page.connection.invoke("where"));
		const hanging = page.connection.invoke("hang");
		await farm.until(() => calls.length === 1);
		const stopped = apps[home]?.stop();
		const following = ["1", "2", "3", "4", "5"].map((what) => page.connection.invoke("note", what));
		gate.resolve();
		assert.equal(await hanging, home);
		await Promise.all([stopped, ...following]);
		assert.deepEqual(
			calls.slice(1).map((call) => call.slice(3)),
			["1", "2", "3", "4", "5"],
		);
		assert.equal(await page.connection.invoke("where"), other(home));
		assert.deepEqual([page.isClosed, proxy.undeliverable], [false, []]);
	});

	it("end streams with an error that names what happened, and go on with uploads until they are answered", async () => {
		const { apps, proxy } = await open();
		const page = await farm.page(proxy, []);
		const home = String(await page.connection.invoke("where"));
		const failed = deferred<unknown>();
		page.connection.stream("count").subscribe({ next() {}, complete() {}, error: failed.resolve });
		let push: (item: number | undefined) => void = () => {};
		const upload = {
			subscribe(observer: { next(item: number): void; complete(): void }) {
				push = (item) => (item === undefined ? observer.complete() : observer.next(item));
				return { dispose() {} };
			},
		};
		const sum = page.connection.invoke("sum", upload as never);
		push(1);
		await farm.until(() => calls.includes(`${home}: item 1`) && calls.includes(`${home}: count`));
		const stopped = apps[home]?.stop();
		await farm.eventually(() => isDraining(apps[home]));
		const later = page.connection.invoke("where");
		push(2);
		await farm.until(() => calls.includes(`${home}: item 2`));
		push(undefined);
		assert.equal(await sum, `${home} 3`);
		assert.match(String(await failed.promise), /ERR_FORWARD_LINK_LOST/);
		await stopped;
		assert.equal(await later, other(home));
		assert.deepEqual([page.isClosed, proxy.undeliverable.length], [false, 1]);
	});

	it("wait for no call that never ends: until the end of a stop, or as long as for listeners where an address is given up", async () => {
		const { apps, proxy } = await open();
		const page = await farm.page(proxy, []);
		const home = String(await page.connection.invoke("where"));
		const hanging = page.connection.invoke("hang");
		await farm.until(() => calls.length === 1);
		const failed = assert.rejects(hanging, /ERR_FORWARD_LINK_LOST/);
		await apps[home]?.hub.close({ timeoutMs: 20 });
		await failed;
		assert.equal(await page.connection.invoke("where"), other(home));
		assert.equal(page.isClosed, false);
	});

	it("are over in time for a list that changes, too", async () => {
		const options = { listenerTimeoutMs: 50 };
		const apps: Record<string, Place> = { a: await app("a", options), b: await app("b", options) };
		let list = [String(apps["a"]?.url), String(apps["b"]?.url)];
		const proxy = await farm.proxy(() => list);
		await farm.until(() => proxy.hub.counters.get("linkSessions") === 2);
		const page = await farm.page(proxy, []);
		const home = String(await page.connection.invoke("where"));
		const hanging = page.connection.invoke("hang");
		await farm.until(() => calls.length === 1);
		list = [String(apps[other(home)]?.url)];
		const failed = assert.rejects(hanging, /ERR_FORWARD_LINK_LOST/);
		await failed;
		assert.equal(await page.connection.invoke("where"), other(home));
		assert.equal(page.isClosed, false);
	});

	it("tell the next app server that a client was handed over", async () => {
		const only = await app("a");
		const list = [only.url];
		const proxy = await farm.proxy(() => list);
		const page = await farm.page(proxy, []);
		await page.connection.invoke("note", "new");
		const pasts = ({ hub }: Place): unknown[] =>
			[...hub.lifetime].map(({ recovered, migrated }) => ({ recovered, migrated }));
		assert.deepEqual(pasts(only), [{ recovered: false, migrated: false }]);
		await only.stop();
		const next = await app("b");
		list[0] = next.url;
		await page.connection.invoke("note", "handed over");
		assert.deepEqual(pasts(next), [{ recovered: true, migrated: true }]);
	});

	it("lose no client that comes while an app server stops, and nothing that it says at once", async () => {
		const { apps, proxy } = await open();
		const pages = Promise.all(
			Array.from({ length: 40 }, async (_, at) => {
				const page = await farm.page(proxy, []);
				await page.connection.invoke("note", String(at));
				return page;
			}),
		);
		await farm.until(() => calls.length > 3);
		await apps["a"]?.stop();
		for (const { isClosed } of await pages) assert.equal(isClosed, false);
		const notes = calls.map((call) => Number(call.slice(3)));
		assert.deepEqual(
			notes.toSorted((one, two) => one - two),
			Array.from({ length: 40 }, (_, at) => at),
		);
		assert.deepEqual(proxy.undeliverable, []);
	});

	it("leave clients of the only app server without a home until there is one, and what they send waits", async () => {
		const only = await app("a");
		const list = [only.url];
		const proxy = await farm.proxy(() => list);
		const page = await farm.page(proxy, []);
		await page.connection.invoke("note", "before");
		await only.stop();
		const waiting = ["1", "2", "3"].map((what) => page.connection.invoke("note", what));
		list[0] = (await app("b")).url;
		await Promise.all(waiting);
		assert.deepEqual(calls, ["a: before", "b: 1", "b: 2", "b: 3"]);
		assert.deepEqual([page.isClosed, only.disconnected, proxy.undeliverable], [false, ["migrated"], []]);
	});

	it("send clients of hubs that keep state in a connection away, and report what they sent meanwhile", async () => {
		const { apps, proxy } = await open({ recovery: "close" });
		const page = await farm.page(proxy, []);
		const home = String(await page.connection.invoke("where"));
		const hanging = page.connection.invoke("hang");
		await farm.until(() => calls.length === 1);
		const stopped = apps[home]?.stop();
		await farm.eventually(() => isDraining(apps[home]));
		await page.connection.send("note", "late");
		await new Promise((resolve) => setImmediate(resolve));
		gate.resolve();
		assert.equal(await hanging, home);
		await farm.until(() => page.isClosed);
		await stopped;
		await farm.until(() => proxy.undeliverable.length === 1);
		assert.deepEqual(
			proxy.undeliverable.map(({ code, target }) => [code, target]),
			[["ERR_FORWARD_LINK_LOST", "note"]],
		);
		assert.deepEqual(calls, [`${home}: hang`]);
	});
});
