import assert from "node:assert/strict";
import { Front } from "./rolling/front.js";
import { emptyBooks, Page } from "./rolling/page.js";
import { Program } from "./rolling/program.js";
import { until } from "./until.js";

const SECRET = "a secret of the rolling deploy";
const PAGES = 30;
const SPREAD_MS = 800;
/** Rounds of every page between two restarts. */
const ROUNDS = 5;

describe("chaos: a rolling deploy", function () {
	this.timeout(60_000);
	let programs: Program[] = [];
	let front: Front;
	let pages: Page[] = [];

	afterEach(async () => {
		await Promise.all(pages.map((page) => page.close()));
		for (const program of programs) program.kill();
		await front.close();
	});

	it("loses no message and fails no invocation while every process is restarted under load", async () => {
		const apps = [new Program("app", { secret: SECRET }), new Program("app", { secret: SECRET })];
		programs = [...apps];
		await Promise.all(apps.map((app) => app.start()));
		const settings = { secret: SECRET, urls: apps.map(({ url }) => url), spreadMs: SPREAD_MS };
		const proxies = [new Program("proxy", settings), new Program("proxy", settings)];
		programs.push(...proxies);
		await Promise.all(proxies.map((proxy) => proxy.start()));
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
		for (const app of apps) {
			assert.equal(await app.stop(), 0);
			await rounds();
			await app.start();
			await rounds();
		}
		assert.deepEqual(
			[books.reconnects, books.underWay],
			[0, 0],
			"clients notice nothing of their app servers",
		);
		for (const proxy of proxies) {
			// As a load balancer does that has found /ready to be 404.
			front.proxies = proxies.filter((other) => other !== proxy);
			assert.equal(await proxy.stop(), 0);
			await rounds();
			await proxy.start();
			front.proxies = proxies;
			await rounds();
		}
		for (const page of pages) page.stop();
		await Promise.all(load);
		await pages[0]?.write("the end");
		await until(() => pages.every((page) => page.shows("Board")["Text"] === "the end"));
		const { done, sent, underWay, reconnects } = books;
		console.log(
			`      ${done} answered, ${sent} without answer; ${reconnects} reconnects, ${underWay} under way at a Close`,
		);
		assert.deepEqual([books.failed, books.wrong, books.ended], [[], [], 0]);
		assert.deepEqual(
			programs.flatMap(({ troubles }) => troubles),
			[],
		);
		assert.ok(reconnects >= PAGES && underWay <= reconnects);
	});
});
