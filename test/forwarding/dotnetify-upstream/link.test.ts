import assert from "node:assert/strict";
import { createServer } from "node:net";
import { silentLog, systemClock } from "../../../lib/base/index.js";
import {
	Link,
	type LinkListener,
	type LinkSettings,
} from "../../../lib/forwarding/dotnetify-upstream/link.js";
import { Scene } from "../support/scene.js";

describe("forwarding/dotnetify-upstream/link", () => {
	let scene: Scene;
	let links: Link[];
	beforeEach(() => {
		scene = new Scene("dotNetify");
		links = [];
	});
	afterEach(async () => {
		await Promise.all(links.map((link) => link.close()));
		await scene.close();
	});

	function open(
		url: string,
		shared: Partial<LinkSettings> = {},
	): { readonly link: Link; readonly events: string[] } {
		const events: string[] = [];
		const note = (event: string): void => {
			events.push(event);
			scene.watch.changed();
		};
		const listener: LinkListener = {
			up: () => note("up"),
			down: () => note("down"),
			response: () => note("response"),
		};
		const link = new Link(
			{
				...{
					url,
					useMessagePack: false,
					secret: undefined,
					maxMessageBytes: 1_000_000,
					connectTimeoutMs: 30,
				},
				...{ reconnect: { delaysMs: [0] }, clock: systemClock, log: silentLog },
				...shared,
			},
			listener,
		);
		links.push(link);
		link.open();
		return { link, events };
	}

	it("tries again where an address takes the connection and never answers the upgrade", async () => {
		let silent = 0;
		const watched = createServer((socket) => {
			silent++;
			scene.watch.changed();
			socket.on("error", () => {});
			socket.resume();
		});
		await new Promise<void>((resolve) => watched.listen(0, "127.0.0.1", resolve));
		const { port } = watched.address() as { port: number };
		const { link, events } = open(`http://127.0.0.1:${port}/x`);
		await scene.until(() => silent === 3);
		assert.equal(link.isUp, false);
		await link.close();
		await new Promise((resolve) => watched.close(resolve));
		assert.deepEqual(events, []);
	});

	it("takes a connection that cannot be built as an attempt that failed", async () => {
		const reasons: unknown[] = [];
		const failed = (fields: object): void => {
			reasons.push((fields as Record<string, unknown>)["reason"]);
			scene.watch.changed();
		};
		const log = { ...silentLog, debug: failed, warn: failed };
		const { events } = open("ftp://nobody/x", { log });
		await scene.until(() => reasons.length === 3);
		assert.deepEqual(new Set(reasons), new Set(["Cannot resolve 'ftp://nobody/x'."]));
		assert.deepEqual(events, []);
	});

	it("says in one line that a port does not serve https", async () => {
		const app = await scene.fakeApp();
		const reasons: string[] = [];
		const warn = (fields: object): void => {
			reasons.push(String((fields as Record<string, unknown>)["reason"]));
			scene.watch.changed();
		};
		open(`${app.url.replace("http", "https")}/x`, {
			...{ connectTimeoutMs: 2_000, reconnect: { delaysMs: [0, 10] } },
			log: { ...silentLog, debug: warn, warn },
		});
		await scene.until(() => reasons.length > 0);
		assert.match(String(reasons[0]), /^The port answers, but not in TLS: use http, .+$/);
	});

	it("is down as soon as its peer begins to close, and up again while the old socket still closes", async () => {
		const app = await scene.fakeApp();
		const { link, events } = open(`${app.url}/x`);
		await scene.until(() => link.isUp);
		const [socket] = app.sockets;
		app.holds = true;
		const lost = assert.rejects(link.invoke(["method", [], {}]));
		await scene.until(() => app.invokes.length === 1);
		// Half of a closing handshake: the other half would be awaited for 30 s.
		socket?.pause();
		socket?.close(1000);
		await scene.until(() => events.length === 3);
		assert.deepEqual(events, ["up", "down", "up"]);
		socket?.resume();
		await lost;
	});

	it("takes an answer that came right before the end as an answer", async () => {
		const app = await scene.fakeApp();
		const { link, events } = open(`${app.url}/x`);
		await scene.until(() => link.isUp);
		app.holds = true;
		const answer = link.invoke(["method", [], {}]);
		await scene.until(() => app.invokes.length === 1);
		let isAnsweredBeforeDown = false;
		void answer.then(() => {
			isAnsweredBeforeDown = !events.includes("down");
		});
		const [invoke] = app.invokes;
		assert.ok(invoke);
		app.answer(invoke);
		invoke.socket.close();
		await scene.until(() => events.includes("down"));
		assert.equal(await answer, null);
		assert.ok(isAnsweredBeforeDown);
	});

	it("closes while it connects, and comes never up again", async () => {
		const app = await scene.fakeApp();
		const { link, events } = open(`${app.url}/x`);
		await link.close();
		const other = open(`${app.url}/x`);
		await scene.until(() => other.link.isUp);
		assert.deepEqual(events, []);
		await assert.rejects(link.invoke([]), { code: "ERR_FORWARD_LINK_LOST" });
	});
});
