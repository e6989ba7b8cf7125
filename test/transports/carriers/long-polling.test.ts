import assert from "node:assert/strict";
import { once } from "node:events";
import { request } from "node:http";
import type { Socket } from "node:net";
import { setImmediate as nextTurn } from "node:timers/promises";
import { deferred, ManualClock } from "../../../lib/base/index.js";
import { type Answered, ask, negotiated, rawSocket, type Served, serve, upgradeRaw } from "../serve.js";

/** Resolves when the server has cut `socket`, of whose bytes nothing was read until now. */
async function cut(socket: Socket): Promise<void> {
	socket.resume();
	socket.on("end", () => socket.destroy());
	await once(socket, "close");
}

describe("transports/carriers/long-polling", () => {
	let served: Served;
	let clock: ManualClock;
	let path: string;
	beforeEach(async () => {
		clock = new ManualClock();
		served = await serve({ clock });
		path = `/chat?id=${(await negotiated(served.port)).connectionToken}`;
	});
	afterEach(() => served.close());

	const poll = (): ReturnType<typeof ask> => ask(served.port, path, { method: "GET" });
	const opened = async () => {
		await poll();
		const owner = served.owners[0];
		assert(owner);
		return owner;
	};
	/** Runs turns until the server has as many timers as it has then: a poll waits when it has its own. */
	const waits = async (): Promise<void> => {
		for (let turn = 0; turn < 50; turn++) await nextTurn();
	};

	it("answers the first poll at once, empty, with the headers that keep caches off", async () => {
		const { status, headers, body } = await poll();
		assert.deepEqual(
			[status, headers["content-type"], headers["content-length"], body],
			[200, "application/octet-stream", "0", ""],
		);
		const { "cache-control": cache, pragma, expires } = headers;
		assert.deepEqual(
			[cache, pragma, expires],
			["no-cache, no-store", "no-cache", "Thu, 01 Jan 1970 00:00:00 GMT"],
		);
		const { connection } = served.owners[0] ?? {};
		assert.deepEqual([connection?.transport, connection?.formats], ["LongPolling", ["Text", "Binary"]]);
		assert.equal(connection?.hasInherentKeepAlive, true);
	});

	it("answers a poll with all that was sent, at once where something waits", async () => {
		const { connection } = await opened();
		connection.send(Buffer.from("a"), "Text");
		await nextTurn();
		connection.send(Buffer.from("b"), "Binary");
		const { status, headers, body } = await poll();
		assert.deepEqual(
			[status, headers["content-type"], headers["content-length"], body],
			[200, "application/octet-stream", "2", "ab"],
		);
	});

	it("answers a poll that waited longPollTimeoutMs with 200 and nothing, and lives on", async () => {
		const owner = await opened();
		const answer = poll();
		await waits();
		clock.advance(90_000);
		const { status, headers, body } = await answer;
		assert.deepEqual([status, headers["content-type"], body], [200, "text/plain", ""]);
		assert.equal(owner.errors.length, 0);
		clock.advance(14_999);
		assert.equal(served.endpoint.connections, 1);
	});

	it("ends when nobody polls for disconnectTimeoutMs, whether a poll was answered or broken off", async () => {
		const owner = await opened();
		clock.advance(14_999);
		assert.equal(owner.errors.length, 0);
		const broken = request({ port: served.port, host: "127.0.0.1", path, method: "GET", agent: false });
		broken.on("error", () => {});
		broken.end();
		await waits();
		clock.advance(60_000);
		assert.equal(owner.errors.length, 0, "a poll waits");
		broken.destroy();
		await waits();
		clock.advance(14_999);
		assert.equal(owner.errors.length, 0);
		clock.advance(1);
		assert.equal(await owner.closedWith, undefined);
		assert.equal((await poll()).status, 404);
		assert.equal(clock.pending, 0);
	});

	it("lets an older poll go with 204 when a new one comes", async () => {
		const { connection } = await opened();
		const first = poll();
		await waits();
		const second = poll();
		assert.equal((await first).status, 204);
		connection.send(Buffer.from("x"), "Text");
		assert.equal((await second).body, "x");
	});

	it("ended by us: what was sent, then 204, then 404", async () => {
		const owner = await opened();
		owner.connection.send(Buffer.from("last"), "Text");
		owner.connection.close();
		assert.deepEqual([(await poll()).body, owner.errors.length], ["last", 0]);
		assert.equal((await poll()).status, 204);
		await owner.closedWith;
		assert.equal((await poll()).status, 404);
		assert.equal(clock.pending, 0);
	});

	it("ended by us with a poll waiting: the same", async () => {
		const owner = await opened();
		const waiting = poll();
		await waits();
		owner.connection.send(Buffer.from("last"), "Text");
		owner.connection.close();
		assert.equal((await waiting).body, "last");
		assert.equal((await poll()).status, 204);
		await owner.closedWith;
	});

	it("ended by us and never fetched: over after closeTimeoutMs", async () => {
		const owner = await opened();
		owner.connection.send(Buffer.from("last"), "Text");
		owner.connection.close();
		clock.advance(5_000);
		assert.equal(await owner.closedWith, undefined);
		assert.equal(clock.pending, 0);
	});

	it("ended by DELETE: 202, a waiting poll 204, and 404 afterwards", async () => {
		const owner = await opened();
		const waiting = poll();
		await waits();
		const { status, headers, body } = await ask(served.port, path, { method: "DELETE" });
		assert.deepEqual([status, headers["content-type"], body], [202, "text/plain", ""]);
		assert.equal((await waiting).status, 204);
		assert.equal(await owner.closedWith, undefined);
		for (const method of ["GET", "POST", "DELETE"])
			assert.equal((await ask(served.port, path, { method })).status, 404);
		assert.equal(clock.pending, 0);
	});

	it("is 400 for another transport", async () => {
		await opened();
		const stream = await ask(served.port, path, { method: "GET", headers: { Accept: "text/event-stream" } });
		assert.deepEqual([stream.status, stream.body], [400, "Cannot change transports mid-connection"]);
		assert.match(await upgradeRaw(served.port, path), /^HTTP\/1\.1 400 /);
	});

	it("tells a sender that waits when a full buffer was fetched", async () => {
		const owner = await opened();
		let drained = 0;
		Object.assign(owner, { drained: () => drained++ });
		owner.connection.send(Buffer.alloc(70_000), "Binary");
		assert.equal(owner.connection.isFull, true);
		await poll();
		assert.equal(drained, 1);
		assert.equal(owner.connection.isFull, false);
	});

	it("says at a quarter of maxBufferedBytes that the client reads slowly, and is full then, however little that is", async () => {
		const { connection } = await opened();
		const seen = (): unknown => [connection.isFull, connection.isSlow];
		connection.send(Buffer.alloc(70_000), "Binary");
		assert.deepEqual(seen(), [true, false]);
		connection.send(Buffer.alloc(200_000), "Binary");
		assert.deepEqual(seen(), [true, true]);
		await poll();
		connection.maxBufferedBytes = 8_000;
		connection.send(Buffer.alloc(1_900), "Binary");
		assert.deepEqual(seen(), [false, false]);
		connection.send(Buffer.alloc(100), "Binary");
		assert.deepEqual(seen(), [true, true]);
	});

	it("answers a POST once its bytes were taken, and refuses more that wait than a client ever sends", async () => {
		const owner = await opened();
		owner.connection.pause();
		const large = ask(served.port, path, { body: "x".repeat(1024 * 1024) });
		let isAnswered = false;
		void large.then(() => {
			isAnswered = true;
		});
		await waits();
		const refused: Answered[] = [];
		const others = Array.from({ length: 70 }, async () => {
			const answer = await ask(served.port, path, { body: "y" });
			if (answer.status !== 200) refused.push(answer);
		});
		while (refused.length < 7) await nextTurn();
		for (const { status, headers } of refused) assert.deepEqual([status, headers["retry-after"]], [503, "1"]);
		assert.equal(isAnswered, false);
		owner.connection.resume();
		assert.equal((await large).status, 200);
		await Promise.all(others);
		assert.equal(refused.length, 7);
		assert.equal(owner.bytes.length, 1024 * 1024 + 63);
	});

	it("keeps what a client sent before it broke a POST off, and answers the next", async () => {
		const owner = await opened();
		const broken = request({ port: served.port, host: "127.0.0.1", path, method: "POST", agent: false });
		broken.on("error", () => {});
		broken.setHeader("Content-Length", "10");
		broken.write("half");
		await owner.has(4);
		broken.destroy();
		assert.equal((await ask(served.port, path, { body: " and more" })).status, 200);
		assert.equal(owner.bytes.toString(), "half and more");
	});

	/** Polls and reads nothing of the answer. */
	const pollUnread = async (): Promise<Socket> => {
		const socket = rawSocket(served.port);
		await once(socket, "connect");
		socket.pause();
		socket.write(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
		await waits();
		return socket;
	};

	it("counts answers that are not read as bytes that wait, and ends who lets too many wait", async () => {
		const owner = await opened();
		const sockets: Socket[] = [];
		for (let at = 0; at < 3; at++) {
			owner.connection.send(Buffer.alloc(8_000_000), "Binary");
			await nextTurn();
			if (owner.errors.length > 0) break;
			sockets.push(await pollUnread());
		}
		assert.equal(((await owner.closedWith) as { code?: string } | undefined)?.code, "ERR_SLOW_CLIENT");
		assert.equal(sockets.length, 1);
		for (const socket of sockets) await cut(socket);
		assert.equal(clock.pending, 0);
	});

	it("keeps no answer for a client that does not read it and does not come back", async () => {
		const owner = await opened();
		owner.connection.send(Buffer.alloc(8_000_000), "Binary");
		const socket = await pollUnread();
		assert.equal(owner.connection.isFull, true);
		clock.advance(15_000);
		assert.equal(await owner.closedWith, undefined);
		await cut(socket);
	});

	it("tells a sender that waits when a large answer was read at last", async () => {
		const owner = await opened();
		const drained = deferred();
		Object.assign(owner, { drained: () => drained.resolve() });
		owner.connection.send(Buffer.alloc(8_000_000), "Binary");
		const socket = await pollUnread();
		assert.equal(owner.connection.isFull, true);
		socket.resume();
		await drained.promise;
		assert.equal(owner.connection.bufferedBytes, 0);
		socket.destroy();
	});

	/** A POST whose body comes one byte at a time. */
	const postBytes = async (count: number): Promise<Socket> => {
		const socket = rawSocket(served.port);
		await once(socket, "connect");
		socket.write(`POST ${path} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n`);
		socket.write("1\r\nx\r\n".repeat(count));
		return socket;
	};

	it("reads no more than some hundreds of parts while its owner does not, however small they are", async () => {
		const owner = await opened();
		owner.connection.pause();
		const socket = await postBytes(5_000);
		await waits();
		assert.equal((owner.connection as unknown as { takesMore: boolean }).takesMore, false);
		owner.connection.resume();
		await owner.has(5_000);
		socket.destroy();
	});

	it("lets the event loop turn after some hundreds of parts", async () => {
		const owner = await opened();
		let taken = 0;
		owner.onData = ({ length }) => {
			taken += length;
			owner.chunks.length = 0;
		};
		const socket = await postBytes(100_000);
		let turns = 0;
		while (taken < 100_000) {
			turns++;
			await nextTurn();
		}
		assert(turns > 50, `${turns} turns`);
		socket.destroy();
	});
});
