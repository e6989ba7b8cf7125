import { readFileSync } from "node:fs";
import { createServer, type Server } from "../../../lib/index.js";
import { Journal } from "../../reference/hub/journal.js";
import { referenceHub } from "../../reference/hub/reference-hub.js";

const PACKAGES = "node_modules/@microsoft";

/** What the page loads, by path. */
const FILES: Readonly<Record<string, readonly [type: string, content: () => string]>> = {
	"/": [
		"text/html; charset=utf-8",
		() =>
			'<!doctype html><link rel="icon" href="data:,"><script src="/signalr.js"></script><script src="/msgpack.js"></script><script src="/page.js"></script>',
	],
	"/signalr.js": [
		"text/javascript",
		() => readFileSync(`${PACKAGES}/signalr/dist/browser/signalr.js`, "utf8"),
	],
	"/msgpack.js": [
		"text/javascript",
		() =>
			readFileSync(`${PACKAGES}/signalr-protocol-msgpack/dist/browser/signalr-protocol-msgpack.js`, "utf8"),
	],
	"/page.js": ["text/javascript", () => PAGE],
};

/** Runs in the browser: everything that a client does, over one transport; `transport` null for the client's own choice, `url` a hub elsewhere. */
const PAGE = `
async function run({ transport, messagePack, url = "/hub" }) {
	const builder = new signalR.HubConnectionBuilder()
		.configureLogging(signalR.LogLevel.None)
		.withUrl(url, transport === null ? {} : { transport: signalR.HttpTransportType[transport] });
	if (messagePack) builder.withHubProtocol(new signalR.protocols.msgpack.MessagePackHubProtocol());
	const connection = builder.build();
	const said = new Promise((resolve) => connection.on("said", resolve));
	connection.on("double", (value) => value * 2);
	await connection.start();
	const used = connection.connection.transport.constructor.name;
	const sum = await connection.invoke("Add", 1, 2);
	await connection.send("Say", "caller", [], "hello");
	const items = [];
	await new Promise((complete, error) =>
		connection.stream("Counter", 3).subscribe({ next: (item) => items.push(item), complete, error }));
	const upload = new signalR.Subject();
	const total = connection.invoke("Sum", 1, upload);
	for (const number of [2, 3]) upload.next(number);
	upload.complete();
	const failure = await connection.invoke("Refuse", "no").catch((error) => error.message);
	const answers = {
		used, sum, items, failure,
		said: await said,
		total: await total,
		asked: await connection.invoke("AskCaller", "double", 4),
		text: await connection.invoke("Repeated", "€", 20000),
	};
	await connection.stop();
	return answers;
}
`;

/** A server with the hub of the contract suite at `/hub`, and a page that uses it by the stock browser build. */
export function signalrPageServer(): Server {
	const server = createServer();
	server.app.use(async (ctx, next) => {
		const file = FILES[ctx.path];
		if (!file) return next();
		const [type, content] = file;
		ctx.type = type;
		ctx.body = content();
	});
	return server.map("/hub", referenceHub(new Journal(), {}));
}
