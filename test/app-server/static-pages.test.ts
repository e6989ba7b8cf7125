import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Koa from "koa";
import { PAGE_PATHS, servePages } from "../../app-server/static-pages.js";

describe("app-server/static-pages", () => {
	let directory: string;
	let server: Server;
	let url: string;

	before(async () => {
		directory = await mkdtemp(join(tmpdir(), "trunkline-pages-"));
		await mkdir(join(directory, "assets"));
		await writeFile(
			join(directory, "index.html"),
			'<meta name="hub-path" content="/dotnetify" /><p>page</p>',
		);
		await writeFile(join(directory, "assets", "index-abc.js"), "export {};");
		await writeFile(join(directory, "favicon.svg"), "<svg/>");
		const app = new Koa().use(await servePages({ directory, hubPath: "/hub" }));
		server = createServer(app.callback());
		await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
		url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
	});

	after(async () => {
		server.closeAllConnections();
		await new Promise((resolve) => server.close(resolve));
		await rm(directory, { recursive: true });
	});

	for (const path of [...PAGE_PATHS, "/index.html"]) {
		it(`answers ${path} with the document and the hub's path in it`, async () => {
			const response = await fetch(url + path);
			assert.equal(response.status, 200);
			assert.match(response.headers.get("content-type") ?? "", /^text\/html/);
			assert.equal(response.headers.get("cache-control"), "no-cache");
			assert.equal(await response.text(), '<meta name="hub-path" content="/hub" /><p>page</p>');
		});
	}

	it("lets browsers keep assets for a year and asks again for the rest", async () => {
		const asset = await fetch(`${url}/assets/index-abc.js`);
		assert.equal(asset.headers.get("cache-control"), "public, max-age=31536000, immutable");
		assert.match(asset.headers.get("content-type") ?? "", /javascript/);
		const icon = await fetch(`${url}/favicon.svg`);
		assert.equal(icon.headers.get("cache-control"), "no-cache");
		await Promise.all([asset.text(), icon.text()]);
	});

	it("allows scripts and connections of its own origin only", async () => {
		const response = await fetch(url, { method: "HEAD" });
		const policy = response.headers.get("content-security-policy")?.split("; ");
		assert.ok(policy?.includes("default-src 'none'"));
		assert.ok(policy?.includes("script-src 'self'"));
		assert.ok(policy?.includes("connect-src 'self'"));
		assert.equal(response.headers.get("x-content-type-options"), "nosniff");
	});

	for (const path of [
		"/nothing",
		"/assets/nothing.js",
		"/..%2f..%2fetc%2fpasswd",
		"/%00",
		"/assets/",
		"/%e0%a4%a",
	]) {
		it(`has no file for ${path}`, async () => {
			const response = await fetch(url + path);
			await response.text();
			assert.ok([400, 403, 404].includes(response.status), `status ${response.status}`);
		});
	}

	it("answers no other method than GET and HEAD", async () => {
		const response = await fetch(url, { method: "POST", body: "x" });
		await response.text();
		assert.equal(response.status, 404);
	});

	it("says what is missing when the pages are not built", async () => {
		await assert.rejects(servePages({ directory: join(directory, "none"), hubPath: "/hub" }), {
			name: "TrunklineError",
			code: "ERR_CONFIGURATION",
			message: /npm run build/,
		});
	});
});
