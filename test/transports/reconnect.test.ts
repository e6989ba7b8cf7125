import assert from "node:assert/strict";
import { once } from "node:events";
import { setImmediate as nextTurn } from "node:timers/promises";
import { deferred, ManualClock } from "../../lib/base/index.js";
import type { Connection, EndpointOptions } from "../../lib/transports/index.js";
import { Owner } from "../contracts/connection.js";
import { negotiated, openWebSocket, type Served, serve, upgradeRaw, WebSocketClient } from "./serve.js";

const ASKED = "negotiateVersion=1&useStatefulReconnect=true";

/** An owner that enables reconnect, and notes what it hears of it. */
class Returning extends Owner {
	readonly heard: string[] = [];
	interruptedOnce = deferred();
	resumedOnce = deferred();

	constructor(connection: Connection) {
		super(connection);
		connection.listen(this);
		connection.enableReconnect();
	}

	interrupted(): void {
		this.heard.push("interrupted");
		this.interruptedOnce.resolve();
	}

	resumed(): void {
		this.heard.push("resumed");
		this.resumedOnce.resolve();
	}

	override closed(error?: Error): void {
		this.heard.push("closed");
		super.closed(error);
	}
}

describe("transports/stateful reconnect", () => {
	let served: Served;
	let clock: ManualClock;
	let owner: Returning;
	let query: string;

	async function begin(options: Partial<EndpointOptions> = {}, asked = ASKED): Promise<WebSocketClient> {
		clock = new ManualClock();
		served = await serve({
			clock,
			allowStatefulReconnects: true,
			...options,
			onConnection: (connection) => {
				owner = new Returning(connection);
			},
		});
		query = `?id=${(await negotiated(served.port, asked)).connectionToken}`;
		return new WebSocketClient(await openWebSocket(served.port, query));
	}
	afterEach(() => served.close());

	it("lives on without its socket, drops what is sent meanwhile, and goes on over another", async () => {
		const first = await begin();
		assert.equal(owner.connection.isReconnectable, true);
		first.vanish();
		await owner.interruptedOnce.promise;
		assert.equal(served.endpoint.connections, 1);
		owner.connection.send(Buffer.from("nobody hears this"), "Text");
		clock.advance(14_999);
		const second = new WebSocketClient(await openWebSocket(served.port, query));
		await owner.resumedOnce.promise;
		owner.connection.send(Buffer.from("down"), "Text");
		await second.arrived(4);
		assert.equal(second.received.toString(), "down");
		second.send(Buffer.from("up"));
		await owner.has(2);
		assert.deepEqual(owner.heard, ["interrupted", "resumed"]);
		assert.equal(clock.pending, 0);
	});

	it("is over after disconnectTimeoutMs, and then 404", async () => {
		const first = await begin();
		first.vanish();
		await owner.interruptedOnce.promise;
		clock.advance(15_000);
		assert.equal(await owner.closedWith, undefined);
		assert.match(await upgradeRaw(served.port, `/chat${query}`), /^HTTP\/1\.1 404 /);
		assert.equal(clock.pending, 0);
	});

	it("a new socket takes over one that only seems alive, and that one is ended", async () => {
		const first = await begin();
		const second = new WebSocketClient(await openWebSocket(served.port, query));
		await owner.resumedOnce.promise;
		await first.ended;
		first.send(Buffer.from("late"));
		second.send(Buffer.from("new"));
		await owner.has(3);
		assert.equal(owner.bytes.toString(), "new");
		assert.deepEqual(owner.heard, ["interrupted", "resumed"]);
	});

	it("keeps half a message of the old socket from the new one", async () => {
		const first = await begin();
		owner.onData = () => owner.connection.pause();
		first.send(Buffer.from("a"));
		await owner.has(1);
		first.send(Buffer.from("held"));
		await nextTurn();
		const second = new WebSocketClient(await openWebSocket(served.port, query));
		await owner.resumedOnce.promise;
		second.send(Buffer.from("b"));
		owner.onData = () => {};
		owner.connection.resume();
		await owner.has(2);
		assert.equal(owner.bytes.toString(), "ab");
	});

	it("a closing handshake by the client ends it", async () => {
		const first = await begin();
		first.leave();
		assert.equal(await owner.closedWith, undefined);
		assert.match(await upgradeRaw(served.port, `/chat${query}`), /^HTTP\/1\.1 404 /);
	});

	it("close and abort end it while it has no socket", async () => {
		for (const end of ["close", "abort"] as const) {
			const first = await begin();
			first.vanish();
			await owner.interruptedOnce.promise;
			owner.connection[end]();
			assert.equal(owner.errors.length, 0, "never from inside the call");
			assert.equal(await owner.closedWith, undefined);
			assert.equal(served.endpoint.connections, 0);
			assert.equal(clock.pending, 0);
			if (end === "close") await served.close();
		}
	});

	it("is granted only where the endpoint allows it and the client asked: else the loss of the socket is the end", async () => {
		for (const [options, asked] of [
			[{ allowStatefulReconnects: false }, ASKED],
			[{}, "negotiateVersion=1"],
		] as const) {
			const first = await begin(options, asked);
			assert.equal(owner.connection.isReconnectable, false);
			assert.match(await upgradeRaw(served.port, `/chat${query}`), /^HTTP\/1\.1 409 /);
			first.vanish();
			assert.equal(await owner.closedWith, undefined);
			assert.deepEqual(owner.heard, ["closed"]);
			if (asked === ASKED) await served.close();
		}
	});

	it("belongs to its user: another one is 403", async () => {
		await begin({ authenticate: ({ headers }) => ({ id: String(headers["x-user"]) }) });
		assert.match(await upgradeRaw(served.port, `/chat${query}`, ["X-User: eve"]), /^HTTP\/1\.1 403 /);
		assert.deepEqual(owner.heard, []);
	});

	it("shows the request of the new socket", async () => {
		const first = await begin();
		first.vanish();
		await owner.interruptedOnce.promise;
		const webSocket = await openWebSocket(served.port, query, { "X-Attempt": "2" });
		await owner.resumedOnce.promise;
		assert.equal(owner.connection.request.headers["x-attempt"], "2");
		webSocket.close();
		await once(webSocket, "close");
	});
});
