import assert from "node:assert/strict";
import type { Browser } from "playwright-core";
import { findChromium, launchChromium, Visitor } from "./stock/browser.js";
import { buildPages, Demo, type ProxyName } from "./stock/demo.js";

describe("interop/chromium: the app server's pages through the front and two proxies", function () {
	this.timeout(30_000);
	const executable = findChromium();
	let browser: Browser;
	let demo: Demo;
	let visitors: Visitor[] = [];

	const visit = async (path: string): Promise<Visitor> => {
		const visitor = await Visitor.open(browser, demo.url + path);
		visitors.push(visitor);
		return visitor;
	};

	before(async function () {
		this.timeout(120_000);
		if (executable === undefined) {
			console.log("    Skipped: there is no Chromium here. Install one, or set CHROMIUM_PATH.");
			this.skip();
		}
		await buildPages();
		demo = await Demo.start();
		browser = await launchChromium(executable);
	});

	afterEach(async () => {
		const troubles = visitors.flatMap((visitor) => visitor.troubles);
		for (const visitor of visitors) await visitor.close();
		visitors = [];
		assert.deepEqual(troubles, []);
	});

	after(async () => {
		await browser?.close();
		await demo?.close();
	});

	it("has a page that leads to the others", async () => {
		const visitor = await visit("/");
		const { page } = visitor;
		assert.equal(await page.title(), "Trunkline");
		const links = page.locator("main a");
		for (let index = 0; index < (await links.count()); index++) {
			await links.nth(index).click();
			await page.locator('[role=status][data-state="connected"]').waitFor();
			assert.match(await page.title(), / · Trunkline$/);
			await page.goBack();
		}
		assert.equal(await links.count(), 4);
		await visitor.screenshot("home");
	});

	it("HelloWorld: greets who types a name, and its clock runs", async () => {
		const visitor = await visit("/hello-world");
		const { page } = visitor;
		await page.getByText("Hello, Hello World!").waitFor();
		await page.getByLabel("First name").fill("Ada");
		const lastName = page.getByLabel("Last name");
		await lastName.press("End");
		await lastName.pressSequentially("ly typed fast");
		await page.getByText("Hello, Ada Worldly typed fast!").waitFor();
		assert.equal(await lastName.inputValue(), "Worldly typed fast");
		const clock = page.locator("time");
		const first = await clock.getAttribute("datetime");
		await page.locator(`time:not([datetime="${first}"])`).waitFor();
		await visitor.screenshot("hello-world");
	});

	it("SimpleList: adds, changes and removes, and another browser sees it", async () => {
		const visitor = await visit("/simple-list");
		const { page } = visitor;
		const rows = page.locator("tbody tr");
		await rows.first().waitFor();
		const count = await rows.count();
		await page.getByLabel("New employee").fill("Katherine Johnson");
		await page.getByRole("button", { name: "Add" }).click();
		await page.getByLabel("First name of Katherine Johnson").waitFor();
		await page.getByLabel("Last name of Katherine Johnson").fill("Goble");
		await page.getByLabel("Last name of Katherine Johnson").press("Enter");
		await page.getByLabel("Last name of Katherine Goble").waitFor();
		await page.getByRole("button", { name: "Remove Alan Turing" }).click();
		await page.getByLabel("First name of Alan Turing").waitFor({ state: "detached" });
		await visitor.screenshot("simple-list");
		const other = await visit("/simple-list");
		await page.reload();
		for (const each of [page, other.page]) {
			await each.getByLabel("First name of Katherine Goble").waitFor();
			assert.equal(await each.locator("tbody tr").count(), count);
			assert.equal(await each.getByLabel("First name of Alan Turing").count(), 0);
		}
	});

	it("LiveChart: draws what the server pushes", async () => {
		const visitor = await visit("/live-chart");
		const wave = visitor.page.locator("figure", { hasText: "Waveform" });
		for (let points = 0; points < 2; points++) {
			const newest = await wave.locator("figcaption").innerText();
			await wave.filter({ hasNotText: newest }).waitFor();
			assert.match(newest, /^Waveform x \d+, y -?\d\.\d\d$/);
		}
		await visitor.screenshot("live-chart");
	});

	it("ChatRoom: two browsers talk across two proxies", async () => {
		const [ada, bob] = [await visit("/chat-room"), await visit("/chat-room")];
		assert.deepEqual([await ada.proxy(), await bob.proxy()].toSorted(), ["p1", "p2"]);
		for (const { page } of [ada, bob]) await page.getByTestId("users").locator("li").nth(1).waitFor();
		await say(ada, "Ada", "hello from the one side");
		await bob.page.getByTestId("messages").getByText("hello from the one side").waitFor();
		await say(bob, "Bob", "hello from the other");
		await ada.page.getByTestId("messages").getByText("hello from the other").waitFor();
		await say(ada, "Ada", "Bob: just for you");
		await bob.page.getByTestId("messages").getByText("Bob: just for you").waitFor();
		for (const { page } of [ada, bob]) {
			const users = (await page.getByTestId("users").locator("li").allInnerTexts()).map((user) =>
				user.trim(),
			);
			assert.deepEqual(users.map((user) => user.replace(" (you)", "")).toSorted(), ["Ada", "Bob"]);
			assert.equal(users.filter((user) => user.endsWith("(you)")).length, 1);
		}
		await ada.screenshot("chat-room");
		await bob.close();
		await ada.page.getByTestId("users").getByText("Bob").waitFor({ state: "detached" });
	});

	it("comes back by itself after its proxy was restarted", async () => {
		const visitor = await visit("/hello-world");
		const { page } = visitor;
		await page.getByLabel("First name").fill("Grace");
		await page.getByText("Hello, Grace World!").waitFor();
		const away = page.locator('[role=status][data-state="disconnected"]').waitFor();
		await demo.restart((await visitor.proxy()) as ProxyName);
		await away;
		assert.match(await visitor.connected(), /through proxy p[12] to app server app/);
		await page.getByText("Hello, Hello World!").waitFor();
		await page.getByLabel("First name").fill("Grace");
		await page.getByText("Hello, Grace World!").waitFor();
	});
});

async function say({ page }: Visitor, name: string, text: string): Promise<void> {
	await page.getByLabel("Your name").fill(name);
	await page.getByLabel("Message", { exact: true }).fill(text);
	await page.getByRole("button", { name: "Send" }).click();
}
