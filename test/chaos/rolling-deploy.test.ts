import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Place, type PlaceOptions } from "./processes/place.js";
import { Front } from "./rolling/front.js";
import { emptyBooks, Page } from "./rolling/page.js";
import { until } from "./until.js";

const PAGES = 30;
const SPREAD_MS = 800;
/** New versions of the app servers, one after another. */
const DEPLOYS = 3;
/** Rounds of every page between two restarts. */
const ROUNDS = 5;

describe("chaos: a rolling deploy", function () {
	this.timeout(60_000);
	let folder: string;
	const places: Place[] = [];
	let front: Front;
	let pages: Page[] = [];

	afterEach(async () => {
		await Promise.all(pages.map((page) => page.close()));
		await Promise.all(places.splice(0).map((place) => place.close()));
		await front.close();
		rmSync(folder, { recursive: true, force: true });
	});

	function pair(program: PlaceOptions["program"], settings: object): readonly [Place, Place] {
		const made = [0, 1].map((index) => new Place({ program, index, folder, settings }));
		places.push(...made);
		return made as unknown as readonly [Place, Place];
	}

	/** Resolves when it is ready for traffic. */
	async function start(place: Place): Promise<void> {
		await place.start();
		await place.child.ready;
	}

	it(`loses no message and fails no invocation while every app server is restarted ${DEPLOYS} times and every proxy once, under load`, async () => {
		folder = mkdtempSync(join(tmpdir(), "trunkline-rolling-"));
		const apps = pair("app-server", { kind: "tally" });
		await Promise.all(apps.map(start));
		const url = apps.map((app) => app.url);
		const proxies = pair("proxy", { kind: "plain", url, spreadMs: SPREAD_MS });
		await Promise.all(proxies.map(start));
		front = await Front.open(proxies);
		const books = emptyBooks();
		pages = Array.from({ length: PAGES }, (_, at) => new Page(front.url, books, at % 3 === 0));
		await Promise.all(pages.map((page) => page.start()));
		const load = pages.map((page) => page.run());
		const rounds = async (): Promise<void> => {
			const before = books.done;
			await until(() => books.done >= before + ROUNDS * PAGES);
		};
		await rounds();
		for (const app of Array.from({ length: DEPLOYS }, () => apps).flat()) {
			assert.equal(await app.stop(), 0);
			await rounds();
			await start(app);
			await rounds();
		}
		assert.deepEqual(
			[books.reconnects, books.whileReconnecting, books.inFlight],
			[0, 0, 0],
			"clients notice nothing of their app servers",
		);
		for (const proxy of proxies) {
			// As a load balancer does that has found /ready to be 404.
			front.proxies = proxies.filter((other) => other !== proxy);
			assert.equal(await proxy.stop(), 0);
			await rounds();
			await start(proxy);
			front.proxies = proxies;
			await rounds();
		}
		for (const page of pages) page.stop();
		await Promise.all(load);
		await pages[0]?.write("the end");
		await until(() => pages.every((page) => page.shows("Board")["Text"] === "the end"));
		const { done, sent, failed, wrong, whileReconnecting, inFlight, reconnects } = books;
		console.log(
			`      ${done} answered, ${sent} without answer, ${failed.length + wrong.length} failed or lost; ${reconnects} reconnects`,
		);
		console.log(
			`      apart: ${whileReconnecting} that clients made while reconnecting, ${inFlight} in flight when their Close was sent`,
		);
		assert.deepEqual([failed, wrong, books.ended], [[], [], 0]);
		assert.deepEqual(
			places.flatMap((place) =>
				place.told((told) => ("undeliverable" in told || "fault" in told ? told : undefined)),
			),
			[],
		);
		assert.ok(reconnects >= PAGES);
		assert.ok(whileReconnecting >= 2 * reconnects, "each client has tried, with and without an answer");
		assert.ok(inFlight <= 2 * reconnects, "one of each kind at most");
	});
});
