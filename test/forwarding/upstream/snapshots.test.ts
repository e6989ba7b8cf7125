import assert from "node:assert/strict";
import { setImmediate as turn } from "node:timers/promises";
import { HubConnectionBuilder, LogLevel } from "@microsoft/signalr";
import { deferred } from "../../../lib/base/index.js";
import { ViewModel } from "../../../lib/dotnetify/index.js";
import { LINK_HEADER } from "../../../lib/forwarding/index.js";
import { writeProof } from "../../../lib/forwarding/link-proof.js";
import { createHub } from "../../../lib/index.js";
import { SECRET } from "../support/scene.js";
import { Farm, type Place } from "./farm.js";

/** What the last restore was given. */
let restored: unknown[] = [];
let gate = deferred();
let started = deferred();

/** A form: what was typed is to survive. */
class Form extends ViewModel {
	Name = "";
	readonly Process: string;
	#secret = "";

	constructor(process: string) {
		super();
		this.Process = process;
	}

	get Saved(): string {
		return this.#secret;
	}

	Keep(secret: string): void {
		this.#secret = secret;
	}

	async Slowly(name: string): Promise<void> {
		started.resolve();
		await gate.promise;
		this.Name = name;
	}

	override snapshot(): unknown {
		return this.Name === "nothing" ? undefined : { name: this.Name, secret: this.#secret };
	}

	override restore(state: { name: string; secret: string }): void {
		restored.push(state);
		this.Name = state.name;
		this.#secret = state.secret;
		if (state.name === "unlucky") throw new Error("This cannot be restored.");
	}
}

describe("forwarding/upstream snapshots", () => {
	let farm: Farm;

	beforeEach(() => {
		farm = new Farm();
		restored = [];
		gate = deferred();
		started = deferred();
	});
	afterEach(() => farm.close());

	const app = (process: string, port = 0): Promise<Place> =>
		farm.app({ viewModels: { Form: () => new Form(process) } }, port);

	for (const messagepack of [false, true]) {
		const protocol = messagepack ? "messagepack" : "json";

		it(`go to a replica with the client (${protocol})`, async () => {
			const apps = [await app("a"), await app("b")];
			const proxy = await farm.proxy(apps.map(({ url }) => url));
			await farm.until(() => proxy.hub.counters.get("linkSessions") === 2);
			const page = await farm.page(proxy, ["Form"], { messagepack });
			await page.update("Form", { Name: "Ada", Keep: "a secret" });
			const first = page.shows("Form")["Process"];
			await apps[first === "a" ? 0 : 1]?.stop();
			await farm.until(() => page.shows("Form")["Process"] === (first === "a" ? "b" : "a"));
			assert.deepEqual([page.shows("Form")["Name"], page.shows("Form")["Saved"]], ["Ada", "a secret"]);
			assert.deepEqual([restored, page.isClosed], [[{ name: "Ada", secret: "a secret" }], false]);
		});

		it(`wait for an app server that comes back (${protocol})`, async () => {
			const old = await app("a");
			const proxy = await farm.proxy([old.url]);
			const page = await farm.page(proxy, ["Form"], { messagepack });
			await page.update("Form", { Name: "Ada", Keep: "a secret" });
			await old.stop();
			await app("b", old.port);
			await farm.until(() => page.shows("Form")["Process"] === "b");
			assert.deepEqual([page.shows("Form")["Name"], page.shows("Form")["Saved"]], ["Ada", "a secret"]);
			assert.deepEqual([page.isClosed, old.disconnected], [false, ["migrated"]]);
		});
	}

	it("are taken when the last update is done, and what comes meanwhile follows", async () => {
		const old = await app("a");
		const proxy = await farm.proxy([old.url]);
		const page = await farm.page(proxy, ["Form"]);
		const slow = page.update("Form", { Slowly: "typed before" });
		await started.promise;
		const stopped = old.stop();
		const later = page.update("Form", { Keep: "typed after" });
		for (let turns = 0; turns < 20; turns++) await turn();
		gate.resolve();
		await Promise.all([slow, stopped]);
		await app("b", old.port);
		await later;
		await farm.until(() => page.shows("Form")["Process"] === "b");
		await farm.until(() => page.shows("Form")["Saved"] === "typed after");
		assert.deepEqual([page.shows("Form")["Name"], proxy.undeliverable], ["typed before", []]);
	});

	it("come through a chain of proxies, whichever of the servers stops", async () => {
		const old = await app("a");
		const inner = await farm.inner(old.url);
		const outer = await farm.proxy([inner.url]);
		const page = await farm.page(outer, ["Form"]);
		await page.update("Form", { Name: "Ada", Keep: "a secret" });
		await old.stop();
		await app("b", old.port);
		await farm.until(() => page.shows("Form")["Process"] === "b");
		assert.deepEqual([page.shows("Form")["Name"], page.shows("Form")["Saved"]], ["Ada", "a secret"]);
		await page.update("Form", { Name: "Ada Lovelace", Keep: "another secret" });
		await inner.stop();
		assert.deepEqual(restored.length, 1);
		const next = await farm.inner(old.url, inner.port);
		await farm.until(() => restored.length === 2);
		await page.update("Form", { Keep: "the last secret" });
		await farm.until(() => page.shows("Form")["Saved"] === "the last secret");
		assert.deepEqual(
			[restored[1], next.hub.lifetime.size],
			[{ name: "Ada Lovelace", secret: "another secret" }, 1],
		);
		assert.deepEqual([page.isClosed, outer.undeliverable, inner.undeliverable], [false, [], []]);
	});

	it("leave the plain request where they are too large, or nothing, and a fresh view model where they fail", async () => {
		const large = "x".repeat(20_000);
		for (const [name, seen] of [
			[large, ""],
			["nothing", ""],
			["unlucky", ""],
		] as const) {
			const old = await app("a");
			const proxy = await farm.proxy([old.url]);
			const page = await farm.page(proxy, ["Form"]);
			await page.update("Form", { Name: name });
			await old.stop();
			assert.equal(old.debug.includes("A call is too large to be retained."), name === large);
			await app("b", old.port);
			await farm.until(() => page.shows("Form")["Process"] === "b");
			assert.deepEqual([page.shows("Form")["Name"], page.isClosed], [seen, false]);
		}
		assert.equal(restored.length, 1);
	});

	it("are kept through a second deploy, and forgotten with their view model", async () => {
		let place = await app("a");
		const proxy = await farm.proxy([place.url]);
		const page = await farm.page(proxy, ["Form"]);
		await page.update("Form", { Name: "Ada" });
		for (const process of ["b", "c"]) {
			await place.stop();
			place = await app(process, place.port);
			await farm.until(() => page.shows("Form")["Process"] === process);
		}
		assert.equal(page.shows("Form")["Name"], "Ada");
		await page.connection.invoke("Dispose_VM", "Form");
		await place.stop();
		place = await app("d", place.port);
		await farm.until(() => place.hub.lifetime.size === 1);
		await page.request("Form");
		await farm.until(() => page.shows("Form")["Process"] === "d");
		assert.equal(restored.length, 2);
	});
});

describe("forwarding/upstream a forged Restore_VM", () => {
	let farm: Farm;
	const FORGED = ["Form", null, JSON.stringify({ name: "forged", secret: "forged" })];
	const UNKNOWN = /Method does not exist/;

	beforeEach(() => {
		farm = new Farm();
		restored = [];
	});
	afterEach(() => farm.close());

	const app = (): Promise<Place> => farm.app({ viewModels: { Form: () => new Form("a") } });

	for (const target of ["Restore_VM", "restore_vm"]) {
		it(`is an unknown method to an app server's own client (${target})`, async () => {
			const page = await farm.page(await app(), []);
			await assert.rejects(page.connection.invoke(target, ...FORGED), UNKNOWN);
			assert.deepEqual(restored, []);
		});

		it(`is an unknown method through a proxy, and through two, also once the client was moved (${target})`, async () => {
			const old = await app();
			const inner = await farm.inner(old.url);
			for (const proxy of [await farm.proxy([old.url]), await farm.proxy([inner.url]), inner]) {
				const page = await farm.page(proxy, ["Form"]);
				await assert.rejects(page.connection.invoke(target, ...FORGED), UNKNOWN);
				await page.connection.send(target, ...FORGED);
			}
			const moved = await farm.page(inner, ["Form"]);
			await old.stop();
			const next = await farm.app({ viewModels: { Form: () => new Form("b") } }, old.port);
			await farm.until(() => moved.shows("Form")["Process"] === "b");
			await assert.rejects(moved.connection.invoke(target, "Form$new", ...FORGED.slice(1)), UNKNOWN);
			await moved.request("Form$new");
			assert.ok(!JSON.stringify(restored).includes("forged"));
			assert.ok(next.hub.lifetime.size > 0);
		});
	}

	it("is an unknown method over dotNetify's wire, and through a proxy that speaks it", async () => {
		const place = await app();
		const headers = { [LINK_HEADER]: writeProof(SECRET, Date.now()) };
		const link = new HubConnectionBuilder()
			.withUrl(`${place.url}/dotnetify`, { headers })
			.configureLogging(LogLevel.None)
			.build();
		await link.start();
		const metadata = { $fwdConnContext: JSON.stringify({ HubId: "h", ConnectionId: "c" }) };
		await link.invoke("Invoke", "Request_VM", ["Form", null], metadata);
		await assert.rejects(link.invoke("Invoke", "Restore_VM", FORGED, metadata), UNKNOWN);
		await link.stop();
		const options = { nativeLinks: false } as object;
		const proxy = await farm.place(
			(log) => createHub()({ log }).use(farm.forwarding(place.url, options)),
			{},
		);
		const page = await farm.page(proxy, ["Form"]);
		await assert.rejects(page.connection.invoke("Restore_VM", ...FORGED), UNKNOWN);
		assert.deepEqual(restored, []);
	});
});
