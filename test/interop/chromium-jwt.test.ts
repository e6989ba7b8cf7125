import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import type { Browser, Page } from "playwright-core";
import { createHub, createServer, jwtAuthentication, type Server } from "../../lib/index.js";
import { AUDIENCE, ISSUER, SECRET, tokenOf } from "../hub/auth/tokens.js";
import { findChromium, launchChromium } from "./stock/browser.js";

const TRANSPORTS = ["WebSockets", "ServerSentEvents", "LongPolling"] as const;
const CLIENT = "node_modules/@microsoft/signalr/dist/browser/signalr.min.js";

/** What the page does: a stock client asks who it is. */
const PROGRAM = `async ({ url, token, transport }) => {
	globalThis.connection = new signalR.HubConnectionBuilder()
		.withUrl(url, { accessTokenFactory: () => token, transport: signalR.HttpTransportType[transport] })
		.configureLogging(signalR.LogLevel.None)
		.build();
	await connection.start();
	return connection.invoke("whoAmI");
}`;

/** A server with the hub at /chat, and a page with the stock client. */
async function startServer(allowedOrigins: readonly string[]): Promise<{ server: Server; url: string }> {
	const hub = createHub()({
		authenticate: jwtAuthentication({ secret: SECRET, issuer: ISSUER, audience: AUDIENCE }),
		allowedOrigins,
		methods: {
			whoAmI: ({ user, connection }) => ({
				id: user?.id,
				inHeader: connection.request.headers.authorization !== undefined,
			}),
		},
	});
	const server = createServer().map("/chat", hub);
	server.app.use(async (ctx) => {
		if (ctx.path === "/signalr.js") {
			ctx.type = "js";
			ctx.body = await readFile(CLIENT);
		} else if (ctx.path === "/") {
			ctx.type = "html";
			ctx.body = '<!doctype html><link rel="icon" href="data:,"><script src="/signalr.js"></script>';
		}
	});
	const { port } = await server.listen(0, "127.0.0.1");
	return { server, url: `http://127.0.0.1:${port}` };
}

describe("interop/chromium with a JSON Web Token", function () {
	this.timeout(30_000);
	const executable = findChromium();
	let browser: Browser;
	let own: { server: Server; url: string };
	let other: { server: Server; url: string };
	let page: Page;
	const complaints: string[] = [];
	let token: string;

	before(async function () {
		this.timeout(120_000);
		if (executable === undefined) {
			console.log("    Skipped: there is no Chromium here. Install one, or set CHROMIUM_PATH.");
			this.skip();
		}
		token = await tokenOf({}, Date.now());
		own = await startServer([]);
		other = await startServer([own.url]);
		browser = await launchChromium(executable);
		page = await browser.newPage();
		page.on("console", (message) => {
			// Stock clients send their Close message while they close the stream, or end the poll: one may meet a 404.
			if (!message.text().includes("404")) complaints.push(message.text());
		});
		page.on("pageerror", (error) => complaints.push(String(error)));
		await page.goto(own.url);
	});

	after(async () => {
		await browser?.close();
		await Promise.all([own?.server.close(), other?.server.close()]);
	});

	for (const transport of TRANSPORTS) {
		it(`knows who a page is over ${transport}, on the hub's host and from a page of an allowed one`, async () => {
			for (const { url } of [own, other]) {
				const parameter = JSON.stringify({ url: `${url}/chat`, token, transport });
				const answer: unknown = await page.evaluate(`(${PROGRAM})(${parameter})`);
				// Where a browser can set headers, the client does.
				assert.deepEqual(answer, { id: "ada", inHeader: transport === "LongPolling" });
				assert.deepEqual(complaints, []);
				await page.evaluate("connection.stop()");
			}
		});
	}
});
