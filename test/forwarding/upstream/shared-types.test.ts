import assert from "node:assert/strict";
import { MulticastViewModel, ViewModel, type ViewModelSources } from "../../../lib/dotnetify/index.js";
import { sharedFeatures } from "../../../lib/forwarding/link/link-terms.js";
import { Relay } from "../../chaos/relay.js";
import { Farm, type Page, type Place } from "./farm.js";

/** View models that say which app server they live in; what is said in a room is heard, wherever that is. */
function viewModelsOf(name: string, heard: string[]): ViewModelSources {
	class Room extends MulticastViewModel {
		readonly At = name;
		Text = "";
		Said = 0;
		Say(text: string): void {
			this.Text = text;
			this.Said++;
			heard.push(text);
		}
	}
	class Own extends ViewModel {
		readonly At = name;
	}
	return { Room, Own, Club: () => new Room() };
}

/** All pages show the same of a shared view model. */
function isOne(pages: readonly Page[], vmId: string): boolean {
	const [first] = pages;
	const shown = JSON.stringify(first?.shows(vmId));
	return pages.every((page) => JSON.stringify(page.shows(vmId)) === shown);
}

describe("forwarding/upstream shared view models", () => {
	let farm: Farm;
	let apps: [Place, Place];
	let relays: Relay[];
	let pages: Page[];
	/** The url of each app server, as proxies have it. */
	let list: string[];
	/** All that was said in a room. */
	let heard: string[];

	beforeEach(() => {
		farm = new Farm();
		heard = [];
		relays = [];
	});
	afterEach(async () => {
		await farm.close();
		for (const relay of relays) await relay.close();
	});

	async function open(vmIds: readonly string[]): Promise<void> {
		const sharedTypes = ["Club"];
		apps = [
			await farm.app({ viewModels: viewModelsOf("a", heard), sharedTypes }),
			await farm.app({ viewModels: viewModelsOf("b", heard), sharedTypes }),
		];
		relays = [await Relay.open(apps[0].port), await Relay.open(apps[1].port)];
		list = relays.map(({ url }) => url);
		const proxies = [await farm.proxy(() => list), await farm.proxy(() => list)];
		await farm.until(() => proxies.every(({ hub }) => hub.counters.get("linkSessions") === 2));
		pages = [];
		for (const at of [0, 1, 2, 3, 4, 5, 6, 7])
			pages.push(await farm.page(proxies[at % 2] as Place, vmIds, { messagepack: at % 3 === 0 }));
	}

	/** What one says is seen by all, at this app server. */
	async function assertTogether(vmId: string, text: string): Promise<void> {
		await pages[3]?.update(vmId, { Say: text });
		await farm.until(() => pages.every((page) => page.shows(vmId)["Text"] === text));
		await farm.until(() => isOne(pages, vmId));
	}

	/** The index of the app server that has a shared view model. */
	function ownerOf(vmId: string): 0 | 1 {
		return pages[0]?.shows(vmId)["At"] === "a" ? 0 : 1;
	}

	it("meet at one app server, whatever proxy their clients come through, while other view models are spread", async () => {
		await open(["Own", "Room$1", "Room$2", "Club"]);
		for (const vmId of ["Room$1", "Room$2", "Club"]) {
			await assertTogether(vmId, `in ${vmId}`);
			assert.deepEqual(new Set(pages.map((page) => page.shows(vmId)["Said"])), new Set([1]));
		}
		const homes = apps.map(({ hub }) => hub.lifetime.size);
		assert.ok(
			homes.every((size) => size > 0),
			`${homes}`,
		);
	});

	it("move as a whole when their app server stops", async () => {
		await open(["Own", "Room$1"]);
		await assertTogether("Room$1", "before");
		const owner = ownerOf("Room$1");
		await apps[owner].stop();
		const other = owner === 0 ? "b" : "a";
		await farm.until(() => pages.every((page) => page.shows("Room$1")["At"] === other));
		await farm.until(() => pages.every((page) => page.shows("Own")["At"] === other));
		await assertTogether("Room$1", "after");
		assert.ok(pages.every(({ isClosed }) => !isClosed));
	});

	it("move as a whole when their app server dies", async () => {
		await open(["Own", "Room$1"]);
		await assertTogether("Room$1", "before");
		const owner = ownerOf("Room$1");
		const relay = relays[owner] as Relay;
		await relay.close();
		const other = owner === 0 ? "b" : "a";
		await farm.until(() => pages.every((page) => page.shows("Room$1")["At"] === other));
		await farm.until(() => pages.every((page) => page.shows("Own")["At"] === other));
		await assertTogether("Room$1", "after");
		assert.ok(pages.every(({ isClosed }) => !isClosed));
	});

	it("move as a whole when the list of app servers changes, there and back, and leave no view behind", async () => {
		await open(["Own", "Room$1", "Room$2", "Room$3"]);
		const rooms = ["Room$1", "Room$2", "Room$3"];
		for (const vmId of rooms) await assertTogether(vmId, "before");
		const before = rooms.map(ownerOf);
		const all = list;
		list = [relays[ownerOf("Room$1")]?.url === all[0] ? String(all[1]) : String(all[0])];
		const left = list[0] === all[0] ? "a" : "b";
		await farm.until(() => pages.every((page) => rooms.every((vmId) => page.shows(vmId)["At"] === left)));
		for (const vmId of rooms) await assertTogether(vmId, "alone");
		list = all;
		const isBack = (): boolean =>
			rooms.every((vmId, at) =>
				pages.every((page) => page.shows(vmId)["At"] === (before[at] === 0 ? "a" : "b")),
			);
		await farm.until(isBack);
		for (const vmId of rooms) await assertTogether(vmId, "again");
		assert.ok(pages.every(({ isClosed }) => !isClosed));
	});

	it("keep everything that is said while they move", async () => {
		await open(["Room$1"]);
		await assertTogether("Room$1", "before");
		const owner = ownerOf("Room$1");
		const stopped = apps[owner].stop();
		const said = pages.map((page, at) => page.update("Room$1", { Say: `while ${at}` }));
		await Promise.all([stopped, ...said]);
		await farm.until(() => pages.every((page) => page.shows("Room$1")["At"] === (owner === 0 ? "b" : "a")));
		await assertTogether("Room$1", "after");
		const expected = ["before", "after", ...pages.map((_, at) => `while ${at}`)];
		assert.deepEqual(heard.toSorted(), expected.toSorted());
		assert.ok(pages.every(({ isClosed }) => !isClosed));
	});
});

describe("forwarding/link/link-terms", () => {
	it("tells of as many shared types as HELLO has room for, or of none", () => {
		const types = (count: number): string[] => Array.from({ length: count }, (_, at) => `Type${at}`);
		assert.deepEqual(sharedFeatures(["Room", "Room", "Club"]), ["shared:Room", "shared:Club"]);
		assert.equal(sharedFeatures(types(61))?.length, 61);
		assert.equal(sharedFeatures(types(62)), undefined);
		assert.equal(sharedFeatures(["é".repeat(124)])?.length, 1);
		assert.equal(sharedFeatures(["é".repeat(125)]), undefined);
	});

	it("is told to the operator where HELLO has no room", async () => {
		const farm = new Farm();
		const warnings: string[] = [];
		const sharedTypes = Array.from({ length: 70 }, (_, at) => `Type${at}`);
		const silent = (): void => {};
		const log = {
			debug: silent,
			info: silent,
			error: silent,
			warn: (_: object, text: string) => warnings.push(text),
		};
		const app = await farm.app({ viewModels: viewModelsOf("a", []), sharedTypes, log });
		const proxy = await farm.proxy([app.url]);
		await farm.until(() => proxy.hub.ready);
		assert.match(String(warnings), /More shared view models/);
		await farm.close();
	});
});
