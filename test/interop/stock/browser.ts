import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";

const CHROMIUM_PATHS = [
	"/usr/bin/chromium",
	"/usr/bin/chromium-browser",
	"/usr/bin/google-chrome",
	"/usr/bin/google-chrome-stable",
	"/opt/google/chrome/chrome",
	"/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];

const ARGUMENTS = [
	"--no-sandbox",
	"--disable-background-networking",
	"--disable-component-update",
	"--disable-default-apps",
	"--disable-dev-shm-usage",
	"--disable-gpu",
	"--disable-sync",
	"--no-first-run",
];

/** The installed Chromium: `CHROMIUM_PATH`, or where it usually is. */
export function findChromium(): string | undefined {
	const given = process.env["CHROMIUM_PATH"];
	return (given ? [given] : CHROMIUM_PATHS).find((path) => existsSync(path));
}

export function launchChromium(executablePath: string): Promise<Browser> {
	return chromium.launch({ executablePath, args: ARGUMENTS });
}

/** A browser of its own, with one page open, that remembers everything that went wrong in it. */
export class Visitor {
	readonly page: Page;
	/** Console errors and warnings, uncaught errors, unhandled rejections, failed requests, answers from 400 on. */
	readonly troubles: string[] = [];
	readonly #context: BrowserContext;

	private constructor(context: BrowserContext, page: Page) {
		this.#context = context;
		this.page = page;
		page.on("console", (message) => {
			if (["error", "warning"].includes(message.type())) this.troubles.push(`console: ${message.text()}`);
		});
		page.on("pageerror", (error) => this.troubles.push(`error: ${error}`));
		page.on("requestfailed", (request) => {
			const reason = request.failure()?.errorText;
			// The browser's own doing, when it leaves a page that still loads something.
			if (reason !== "net::ERR_ABORTED") this.troubles.push(`failed: ${request.url()} ${reason}`);
		});
		page.on("response", (response) => {
			if (response.status() >= 400) this.troubles.push(`${response.status()}: ${response.url()}`);
		});
	}

	static async open(browser: Browser, url: string): Promise<Visitor> {
		const context = await browser.newContext();
		const visitor = new Visitor(context, await context.newPage());
		await visitor.page.goto(url);
		await visitor.connected();
		return visitor;
	}

	/** Waits until the page says that it is connected, and which way; returns what it says. */
	async connected(): Promise<string> {
		await this.page.locator('[role=status][data-state="connected"]').waitFor();
		return this.page.getByTestId("connected-through").innerText();
	}

	/** The proxy that the page says it is connected through. */
	async proxy(): Promise<string> {
		const [, name = ""] = /through proxy (\S+) to app server app/.exec(await this.connected()) ?? [];
		return name;
	}

	/** Saves what the page looks like in the system's temporary folder, where `SCREENSHOTS` is set. */
	async screenshot(name: string): Promise<void> {
		if (!process.env["SCREENSHOTS"]) return;
		await this.page.screenshot({ path: join(tmpdir(), `trunkline-${name}.png`), fullPage: true });
	}

	async close(): Promise<void> {
		await this.#context.close();
	}
}
