import assert from "node:assert/strict";
import { once } from "node:events";
import type { Socket } from "node:net";
import { setImmediate as nextTurn } from "node:timers/promises";
import { ManualClock } from "../../../lib/base/index.js";
import { MAX_UNANSWERED_REQUESTS } from "../../../lib/transports/request/pipelining.js";
import { ask, negotiated, rawSocket, readAll, type Served, serve, upgradeRequest } from "../serve.js";

const EVENTS = ["Accept: text/event-stream"];

function get(path: string, lines: readonly string[] = []): string {
	return ["GET ", path, " HTTP/1.1\r\n", ["Host: a", ...lines].join("\r\n"), "\r\n\r\n"].join("");
}

describe("transports/request/pipelining: requests of one socket that do not wait for their answers", () => {
	let served: Served;
	let clock: ManualClock;
	beforeEach(async () => {
		clock = new ManualClock();
		served = await serve({ clock });
	});
	afterEach(() => served.close());

	const token = async (): Promise<string> => `/chat?id=${(await negotiated(served.port)).connectionToken}`;
	const turns = async (): Promise<void> => {
		for (let turn = 0; turn < 50; turn++) await nextTurn();
	};

	/** A socket whose first answer is a poll that waits. */
	async function behindPoll(): Promise<Socket> {
		const path = await token();
		assert.equal((await ask(served.port, path, { method: "GET" })).status, 200);
		const socket = rawSocket(served.port);
		socket.write(get(path));
		return socket;
	}

	async function opened(count: number): Promise<void> {
		while (served.owners.length < count) await nextTurn();
	}

	it("end an event stream whose turn had not come when their socket does", async () => {
		const socket = await behindPoll();
		socket.write(get(await token(), EVENTS));
		await opened(2);
		socket.destroy();
		assert.equal(await served.owners[1]?.closedWith, undefined);
		assert.equal(served.endpoint.connections, 1);
	});

	it("end an event stream that is cut before its turn", async () => {
		const socket = await behindPoll();
		socket.write(get(await token(), EVENTS));
		await opened(2);
		served.owners[1]?.connection.abort();
		assert.equal(await served.owners[1]?.closedWith, undefined);
	});

	it("leave no poll waiting that nobody can be answered", async () => {
		const socket = await behindPoll();
		const path = await token();
		assert.equal((await ask(served.port, path, { method: "GET" })).status, 200);
		socket.write(get(path));
		await turns();
		socket.destroy();
		await once(socket, "close");
		await turns();
		clock.advance(15_000);
		assert.equal(await served.owners[1]?.closedWith, undefined);
		assert.equal(served.endpoint.connections, 0);
	});

	it("lose their place among those who wait to connect when their socket ends", async () => {
		await served.close();
		served = await serve({ clock, maxConnectsPerSecond: 1 });
		const post = "POST /chat/negotiate HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n";
		const socket = rawSocket(served.port);
		socket.write(post.repeat(5));
		while (served.endpoint.waitingConnects < 4) await nextTurn();
		socket.destroy();
		while (served.endpoint.waitingConnects > 0) await nextTurn();
	});

	it(`end their socket when more than ${MAX_UNANSWERED_REQUESTS} are not answered`, async () => {
		await served.close();
		let asked = 0;
		const authenticate = (): Promise<undefined> => {
			asked++;
			return new Promise(() => {});
		};
		served = await serve({ clock, authenticate });
		const socket = rawSocket(served.port);
		socket.write(get("/chat?id=x").repeat(MAX_UNANSWERED_REQUESTS));
		while (asked < MAX_UNANSWERED_REQUESTS) await nextTurn();
		assert.equal(socket.destroyed, false);
		socket.write(get("/chat?id=x").repeat(100));
		assert.equal(await readAll(socket), "");
		assert.equal(asked, MAX_UNANSWERED_REQUESTS);
	});

	it("are any number, one after another", async () => {
		const socket = rawSocket(served.port);
		for (let at = 0; at < 3 * MAX_UNANSWERED_REQUESTS; at++) {
			socket.write(get("/chat"));
			const [data] = (await once(socket, "data")) as [Buffer];
			assert.match(data.toString(), /^HTTP\/1\.1 400 /);
		}
		socket.destroy();
	});

	it("cannot be followed by an upgrade", async () => {
		const socket = await behindPoll();
		socket.write(upgradeRequest("/chat"));
		assert.equal(await readAll(socket), "");
		assert.equal(served.owners.length, 1);
	});
});
