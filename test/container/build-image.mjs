// npm run test:container: builds the images for real, runs the servers in them and looks at what is inside.
// It needs root, buildah, and the machine's apt sources and npm registry; without buildah it says so and ends.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { HttpTransportType, HubConnectionBuilder, LogLevel } from "@microsoft/signalr";
import { has } from "./base-image.mjs";
import { ImageBuilder } from "./image-builder.mjs";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const USER = 10_001;
const START_TIMEOUT_MS = 15_000;
const LINK_SECRET = "only-for-this-test-0123456789";

async function freePort() {
	const probe = createServer().listen(0, "127.0.0.1");
	await once(probe, "listening");
	const { port } = probe.address();
	probe.close();
	await once(probe, "close");
	return port;
}

/** The user id that a listening socket of 127.0.0.1 belongs to, as the kernel tells it. */
function ownerOfPort(port) {
	const wanted = `0100007F:${port.toString(16).toUpperCase().padStart(4, "0")}`;
	const lines = readFileSync("/proc/net/tcp", "utf8").split("\n");
	const fields = lines
		.map((line) => line.trim().split(/\s+/))
		.find(([, local, , state]) => local === wanted && state === "0A");
	return fields ? Number(fields[7]) : undefined;
}

async function statusOf(url) {
	try {
		return (await fetch(url, { headers: { connection: "close" } })).status;
	} catch {
		return 0;
	}
}

async function waitForStatus(url, status, process) {
	for (let waited = 0; (await statusOf(url)) !== status; waited += 100) {
		if (process.exitCode !== null)
			throw new Error(`The server ended with ${process.exitCode}:\n${process.output}`);
		if (waited > START_TIMEOUT_MS) throw new Error(`No ${status} from ${url}:\n${process.output}`);
		await wait(100);
	}
}

function gather(child) {
	child.output = "";
	for (const stream of [child.stdout, child.stderr]) {
		stream.setEncoding("utf8").on("data", (text) => {
			child.output += text;
		});
	}
	return child;
}

/** Starts what the image says, as the user that the image says, with `environment` added. */
function startContainer(builder, { name, config }, environment) {
	const variables = Object.entries(environment).flatMap(([key, value]) => ["--env", `${key}=${value}`]);
	const parameters = builder.parameters(
		"run",
		"--isolation",
		"chroot",
		...variables,
		name,
		"--",
		...config.Entrypoint,
	);
	return gather(spawn("buildah", parameters, { stdio: ["ignore", "pipe", "pipe"] }));
}

/** The same with nothing but a tree that cannot be written to by anybody, as `read_only: true` makes it. */
function startReadOnly({ tree, config }, environment) {
	const variables = [...config.Env, ...Object.entries(environment).map((pair) => pair.join("="))];
	const mount =
		'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && tree="$1" && shift && exec chroot --userspec=';
	const text = `${mount}${config.User} "$tree" /usr/bin/env -i -C ${config.WorkingDir} "$@"`;
	const parameters = ["--mount", "sh", "-c", text, "sh", tree, ...variables, ...config.Entrypoint];
	return gather(spawn("unshare", parameters, { stdio: ["ignore", "pipe", "pipe"] }));
}

async function end(child) {
	if (!child || child.exitCode !== null || child.signalCode !== null) return;
	const ended = once(child, "exit");
	child.kill("SIGTERM");
	await ended;
}

/** Runs a piece of JavaScript in the container as the image's user and returns what it prints. */
function evaluate(builder, { name }, code) {
	return builder.buildah("run", "--isolation", "chroot", name, "--", "node", "-e", code);
}

/** Tries to write to everything; prints what it could. Places meant for everybody's files are left out. */
const TRY_TO_WRITE = `
const fs = require("node:fs");
const skipped = new Set(["/proc", "/sys", "/dev", "/tmp", "/var/tmp", "/run/lock", "/var/lock", "/etc/hosts", "/etc/resolv.conf", "/run/.containerenv"]);
const written = [];
const attempt = (what, body) => { try { body(); written.push(what); } catch (error) { if (!["EACCES", "EROFS", "EPERM", "ENOENT"].includes(error.code)) written.push(what + " " + error.code); } };
function visit(folder) {
	attempt(folder, () => fs.writeFileSync(folder + "/written-by-test", ""));
	let entries = [];
	try { entries = fs.readdirSync(folder, { withFileTypes: true }); } catch {}
	for (const entry of entries) {
		const path = (folder === "/" ? "" : folder) + "/" + entry.name;
		if (skipped.has(path)) continue;
		if (entry.isDirectory()) visit(path);
		else if (entry.isFile()) attempt(path, () => fs.closeSync(fs.openSync(path, "a")));
	}
}
visit("/");
console.log(JSON.stringify({ uid: process.getuid(), gid: process.getgid(), written, seen: fs.existsSync("/app/package.json") }));
`;

function filesBelow(folder) {
	return readdirSync(folder, { recursive: true }).map(String);
}

/** Everything that every image of ours has to keep. */
function checkImage(builder, container) {
	const { tree, config } = container;
	assert.equal(config.User, `${USER}:${USER}`);
	assert.equal(config.StopSignal, "SIGTERM");
	assert.ok(config.Healthcheck?.Test.length > 1, "no HEALTHCHECK");
	const { devDependencies, dependencies } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
	const isThere = (name) => existsSync(join(tree, "app/node_modules", name));
	// Declarations come along with the packages whose types our own declarations name.
	const isTool = (name) => !name.startsWith("@types/");
	assert.deepEqual(Object.keys(devDependencies).filter(isTool).filter(isThere), []);
	assert.deepEqual(
		Object.keys(dependencies).filter((name) => !isThere(name)),
		[],
	);
	for (const path of ["root/.npmrc", "root/.npm", "usr/local/etc/npmrc"])
		assert.ok(!existsSync(join(tree, path)), path);
	assert.deepEqual(readdirSync(join(tree, "app")).sort(), ["dist", "node_modules", "package.json"]);
	assert.deepEqual(
		filesBelow(join(tree, "app/dist")).filter((path) =>
			/\.tsbuildinfo$|(?<!\.d)\.ts$|\btest\b|\.env/.test(path),
		),
		[],
	);
	const tried = JSON.parse(evaluate(builder, container, TRY_TO_WRITE).split("\n").at(-1));
	assert.deepEqual(tried, { uid: USER, gid: USER, written: [], seen: true });
}

/** A stock client that calls through the proxy; the answer can only come from the app server. */
async function askThrough(port) {
	const connection = new HubConnectionBuilder()
		.withUrl(`http://127.0.0.1:${port}/dotnetify`, { transport: HttpTransportType.WebSockets })
		.configureLogging(LogLevel.None)
		.build();
	try {
		const answer = new Promise((resolve) => connection.on("response_VM", (message) => resolve(message)));
		await connection.start();
		await connection.invoke("Request_VM", "HelloWorld", null);
		return JSON.stringify(await answer);
	} finally {
		await connection.stop();
	}
}

/** Why this machine cannot build images, if it cannot. */
function obstacle() {
	const needed = ["buildah", "apt-get", "apt-cache", "dpkg-deb", "tar", "unshare"];
	const missing = needed.filter((program) => !has(program));
	if (missing.length > 0) return `this machine has no ${missing.join(", ")}`;
	return process.getuid() === 0 ? undefined : "it needs root";
}

/** Counts what passed and what failed, and goes on after a failure. */
class Steps {
	passed = 0;
	failed = 0;

	async run(title, body) {
		const begin = Date.now();
		try {
			await body();
			this.passed++;
			console.log(`  ✔ ${title} (${((Date.now() - begin) / 1_000).toFixed(1)} s)`);
		} catch (error) {
			this.failed++;
			console.log(`  ✖ ${title}\n${error.stack ?? error}`);
		}
	}
}

/** Builds every image and looks at what is in it; returns a container of each. */
async function buildImages(steps, builder) {
	const images = {};
	await steps.run("makes a base image from Debian packages, Node and npm", () => builder.makeBase());
	for (const name of ["proxy", "app"]) {
		await steps.run(`builds the image of the ${name} server`, () => {
			builder.build(`${name}-server/Dockerfile`, `localhost/trunkline-${name}`);
			images[name] = builder.open(`localhost/trunkline-${name}`);
		});
		await steps.run(
			`the ${name} image has no dev dependency, and nothing in it is writable for its user`,
			() => {
				checkImage(builder, images[name]);
			},
		);
	}
	await steps.run("the proxy image has nothing of the development front", () => {
		const files = filesBelow(join(images.proxy.tree, "app/dist/proxy-server"));
		assert.ok(files.includes("main.js"));
		assert.deepEqual(
			files.filter((path) => /^(?:front|start|children|leash)\./.test(path)),
			[],
		);
	});
	return images;
}

/** What the containers are told, and where they answer then. */
async function planServers() {
	const ports = { app: await freePort(), proxy: await freePort() };
	const shared = { HOST: "127.0.0.1", LINK_SECRET, DRAIN_MS: "0", CLOSE_SPREAD_MS: "0", LOG_LEVEL: "warn" };
	const appUrl = `http://127.0.0.1:${ports.app}`;
	return {
		ports,
		appUrl,
		proxyUrl: `http://127.0.0.1:${ports.proxy}`,
		app: { ...shared, PORT: ports.app, SERVER_ID: "app" },
		proxy: { ...shared, PORT: ports.proxy, APPSERVER_URL: appUrl, SERVER_ID: "p1" },
	};
}

/** The proxy in its container, first alone and then with an app server in another one. */
async function runContainers(steps, { builder, images, plan, start }) {
	const { ports, appUrl, proxyUrl } = plan;
	let proxy;
	await steps.run(
		"the proxy answers /health, and /ready with 503 before it reaches an app server, as non-root",
		async () => {
			proxy = start(startContainer(builder, images.proxy, plan.proxy));
			await waitForStatus(`${proxyUrl}/health`, 200, proxy);
			assert.equal(await statusOf(`${proxyUrl}/ready`), 503);
			assert.equal(ownerOfPort(ports.proxy), USER);
		},
	);
	await steps.run("the image's health check passes while the proxy runs", () => {
		const [, ...command] = images.proxy.config.Healthcheck.Test;
		const port = ["--env", `PORT=${ports.proxy}`];
		builder.buildah("run", "--isolation", "chroot", ...port, images.proxy.name, "--", ...command);
	});
	await steps.run(
		"the proxy is ready once the app server's container runs, and a stock client gets its answer",
		async () => {
			const app = start(startReadOnly(images.app, plan.app));
			await waitForStatus(`${appUrl}/health`, 200, app);
			assert.equal(ownerOfPort(ports.app), USER);
			await waitForStatus(`${proxyUrl}/ready`, 200, proxy);
			assert.match(await askThrough(ports.proxy), /HelloWorld/);
		},
	);
	await steps.run("the app server's pages are in its image", async () => {
		const page = await fetch(appUrl);
		assert.equal(page.status, 200);
		assert.match(await page.text(), /<html/i);
	});
	await end(proxy);
}

/** The proxy with a tree that nobody can write to, as compose.yaml runs it, and its end. */
async function runReadOnly(steps, { images, plan, start }) {
	const { ports, proxyUrl } = plan;
	let proxy;
	await steps.run("the proxy runs with a read-only tree", async () => {
		proxy = start(startReadOnly(images.proxy, plan.proxy));
		await waitForStatus(`${proxyUrl}/ready`, 200, proxy);
		assert.equal(ownerOfPort(ports.proxy), USER);
		assert.match(await askThrough(ports.proxy), /HelloWorld/);
	});
	await steps.run("the proxy ends by itself on SIGTERM, with exit code 0", async () => {
		await end(proxy);
		assert.equal(proxy.exitCode, 0, proxy.output);
		assert.equal(await statusOf(`${proxyUrl}/health`), 0);
		assert.doesNotMatch(proxy.output, /^\s+at /m);
	});
}

async function main() {
	const why = obstacle();
	if (why !== undefined)
		return console.log(`skipped: the images are not built, because ${why}\n0 passed, 0 failed`);
	const folder = mkdtempSync(join(tmpdir(), "trunkline-images-"));
	const builder = new ImageBuilder({ folder, root: ROOT });
	const steps = new Steps();
	const started = [];
	const start = (child) => {
		started.push(child);
		return child;
	};
	try {
		console.log(`images (buildah, ${builder.driver})`);
		const images = await buildImages(steps, builder);
		const plan = await planServers();
		await runContainers(steps, { builder, images, plan, start });
		await runReadOnly(steps, { images, plan, start });
	} finally {
		for (const child of started) await end(child);
		builder.close();
		rmSync(folder, { recursive: true, force: true });
	}
	console.log(`${steps.passed} passed, ${steps.failed} failed`);
	process.exitCode = steps.failed === 0 ? 0 : 1;
}

await main();
