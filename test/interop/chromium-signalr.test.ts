import assert from "node:assert/strict";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { createServer, type Server } from "../../lib/index.js";
import { Journal } from "../reference/hub/journal.js";
import { referenceHub } from "../reference/hub/reference-hub.js";
import { findChromium, launchChromium } from "./stock/browser.js";
import { signalrPageServer } from "./stock/signalr-page.js";

interface Wanted {
	readonly transport: string | null;
	readonly messagePack: boolean;
	/** A hub of another origin. */
	readonly url?: string;
}

/** What the client's own classes are called. */
const CLASSES: Readonly<Record<string, string>> = {
	WebSockets: "WebSocketTransport",
	ServerSentEvents: "ServerSentEventsTransport",
	LongPolling: "LongPollingTransport",
};

/** What the page hears of the hub. */
const ANSWERS = {
	...{ sum: 3, said: "hello", items: [1, 2, 3], total: 6, asked: "result 8" },
	failure: "An unexpected error occurred invoking 'Refuse' on the server. HubException: no",
	text: "€".repeat(20_000),
};

const COMBINATIONS: readonly Wanted[] = [
	{ transport: null, messagePack: false },
	{ transport: "WebSockets", messagePack: false },
	{ transport: "WebSockets", messagePack: true },
	{ transport: "ServerSentEvents", messagePack: false },
	{ transport: "LongPolling", messagePack: false },
	{ transport: "LongPolling", messagePack: true },
];

describe("interop/chromium-signalr: the stock browser build of @microsoft/signalr", function () {
	this.timeout(20_000);
	const executable = findChromium();
	let server: Server;
	let browser: Browser;
	let context: BrowserContext;
	let page: Page;
	const troubles: { readonly text: string; readonly url?: string }[] = [];
	/**
	 * Connections that were over when the last request of their client came, of which the browser complains: at its end the
	 * stock client posts a Close, and does not wait for it before it lets the connection go.
	 */
	const over = new Set<string>();
	const complaints = (): string[] =>
		troubles.filter(({ url = "" }) => !over.has(url)).map(({ text }) => text);

	before(async function () {
		this.timeout(60_000);
		if (executable === undefined) {
			console.log("    Skipped: there is no Chromium here. Install one, or set CHROMIUM_PATH.");
			this.skip();
		}
		server = signalrPageServer();
		const { url } = await server.listen(0, "127.0.0.1");
		browser = await launchChromium(executable);
		context = await browser.newContext();
		page = await context.newPage();
		page.on("console", (message) => {
			const { url } = message.location();
			if (["error", "warning"].includes(message.type())) troubles.push({ text: message.text(), url });
		});
		page.on("pageerror", (error) => troubles.push({ text: String(error) }));
		page.on("response", (response) => {
			if (response.status() === 404 && response.url().includes("?id=")) over.add(response.url());
		});
		await page.goto(url);
	});

	after(async () => {
		await browser?.close();
		await server?.close();
	});

	const run = (wanted: Wanted): Promise<Record<string, unknown>> =>
		page.evaluate<Record<string, unknown>>(`run(${JSON.stringify(wanted)})`);

	for (const wanted of COMBINATIONS) {
		const { transport, messagePack } = wanted;
		const name = `${transport ?? "its own choice"}, ${messagePack ? "messagepack" : "json"}`;
		it(`does everything that a client does (${name})`, async () => {
			const used = CLASSES[transport ?? "WebSockets"];
			assert.deepEqual(await run(wanted), { ...ANSWERS, used });
			assert.deepEqual(complaints(), []);
		});
	}

	it("reaches a hub of another origin over every transport where that allows the page's, and no other", async () => {
		const elsewhere = createServer()
			.map("/open", referenceHub(new Journal(), { allowedOrigins: [new URL(page.url()).origin] }))
			.map("/shut", referenceHub(new Journal(), {}));
		const { url } = await elsewhere.listen(0, "127.0.0.1");
		try {
			for (const [transport, used] of Object.entries(CLASSES)) {
				const wanted = { transport, messagePack: false };
				assert.deepEqual(await run({ ...wanted, url: `${url}/open` }), { ...ANSWERS, used });
				assert.deepEqual(complaints(), []);
				await assert.rejects(run({ ...wanted, url: `${url}/shut` }));
				troubles.length = 0;
			}
		} finally {
			await elsewhere.close();
		}
	});
});
