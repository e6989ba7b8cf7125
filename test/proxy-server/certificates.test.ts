import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startAppServer } from "../../app-server/server.js";
import { readSettings as readAppSettings } from "../../app-server/settings.js";
import { silentLog } from "../../lib/index.js";
import { startProxyServer } from "../../proxy-server/server.js";
import { readSettings } from "../../proxy-server/settings.js";
import { ViewModelClient } from "../app-server/view-model-client.js";
import { CertificateAuthority, type Identity } from "../forwarding/support/certificates.js";

const proxies = new CertificateAuthority("CA of proxies");
const servers = new CertificateAuthority("CA of servers");

type Environment = Readonly<Record<string, string>>;

describe("proxy-server/certificates: the prebuilt servers, and links over TLS", () => {
	let folder: string;
	let app: Environment;
	let proxy: Environment;

	function file(name: string, text: string): string {
		const path = join(folder, name);
		writeFileSync(path, text);
		return path;
	}

	function files(name: string, { cert, key }: Identity): readonly [cert: string, key: string] {
		return [file(`${name}.crt`, cert), file(`${name}.key`, key)];
	}

	before(() => {
		folder = mkdtempSync(join(tmpdir(), "trunkline-tls-"));
		const [TLS_CERT, TLS_KEY] = files("app", servers.issue({ names: ["127.0.0.1"] }));
		const [LINK_CERT, LINK_KEY] = files("proxy", proxies.issue({ names: ["p1.test"] }));
		app = { TLS_CERT, TLS_KEY, LINK_CA: file("proxies.crt", proxies.cert), LINK_NAMES: "p0.test, p1.test" };
		proxy = { LINK_CERT, LINK_KEY, LINK_CA: file("servers.crt", servers.cert) };
	});
	after(() => rmSync(folder, { recursive: true, force: true }));

	it("prove themselves by certificates from files, which may be renewed while they run", async () => {
		const server = await startAppServer({
			...readAppSettings({ ...app, PORT: "0", SERVER_ID: "app" }),
			pagesDirectory: null,
		});
		assert.match(server.url, /^https:/);
		const renewed = files("renewed", proxies.issue({ names: ["p2.test"] }));
		const environment = { ...proxy, PORT: "0", APPSERVER_URL: server.url };
		const running = await startProxyServer(
			readSettings({ ...environment, LINK_CERT: renewed[0], LINK_KEY: renewed[1] }),
			silentLog,
		);
		files("renewed", proxies.issue({ names: ["p0.test"] }));
		const client = await ViewModelClient.connect(`${running.listening.url}/dotnetify`);
		assert.equal((await client.request("HelloWorld"))["Greetings"], "Hello, Hello World!");
		await client.close();
		await running.stop();
		await server.close();
	});

	for (const [title, changed, line] of [
		["a certificate without its key", { TLS_KEY: "" }, /^TLS_KEY: found nothing beside TLS_CERT/],
		["a key without its certificate", { TLS_CERT: "" }, /^TLS_CERT: found nothing beside TLS_KEY/],
		["a CA without names", { LINK_NAMES: "" }, /^LINK_NAMES: found nothing beside LINK_CA, expected names/],
		["names without a CA", { LINK_CA: "" }, /^LINK_CA: found nothing beside LINK_NAMES/],
		["a CA without TLS", { TLS_CERT: "", TLS_KEY: "" }, /^TLS_CERT: found nothing beside LINK_CA/],
		["a file that is not there", { TLS_CERT: "/nowhere" }, /^TLS_CERT: found "\/nowhere", expected the path/],
		["a file that is no PEM", { LINK_CA: "package.json" }, /^LINK_CA: found "package.json", expected/],
	] as const) {
		it(`refuses at the app server ${title}`, () => {
			assert.throws(() => readAppSettings({ ...app, ...changed }), {
				code: "ERR_CONFIGURATION",
				message: line,
			});
		});
	}

	it("takes any certificate of the CA where the app server is told so", () => {
		assert.equal(readAppSettings({ ...app, LINK_NAMES: "any" }).linkNames, "any");
		assert.deepEqual(readAppSettings(app).linkNames, ["p0.test", "p1.test"]);
	});

	for (const [title, changed, line] of [
		["a certificate without its key", { LINK_KEY: "" }, /^LINK_KEY: found nothing beside LINK_CERT/],
		["a key without its certificate", { LINK_CERT: "" }, /^LINK_CERT: found nothing beside LINK_KEY/],
		["a file that is not there", { LINK_CA: "/nowhere" }, /^LINK_CA: found "\/nowhere", expected the path/],
		[
			"links without TLS",
			{ APPSERVER_URL: "http://app:5001" },
			/^LINK_CERT: found a path.*no app server's url has https/,
		],
	] as const) {
		it(`refuses at the proxy ${title}`, () => {
			const environment = { ...proxy, APPSERVER_URL: "https://app:5001", ...changed };
			assert.throws(() => readSettings(environment), { code: "ERR_CONFIGURATION", message: line });
		});
	}
});
