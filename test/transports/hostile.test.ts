import assert from "node:assert/strict";
import { once } from "node:events";
import type { Socket } from "node:net";
import fc from "fast-check";
import { ask, openWebSocket, rawSocket, readAll, type Served, serve, upgradeRequest } from "./serve.js";

const NEGOTIATE = "POST /chat/negotiate?negotiateVersion=1 HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n";

/** Writes `bytes`, ends, and waits until the server has hung up. */
async function throwAt(port: number, bytes: Buffer): Promise<void> {
	const socket: Socket = rawSocket(port);
	socket.end(bytes);
	await readAll(socket);
}

function mutate(valid: Buffer, edits: readonly (readonly [number, number])[]): Buffer {
	const bytes = Buffer.from(valid);
	for (const [at, value] of edits) bytes[at % bytes.length] = value;
	return bytes;
}

describe("transports, hostile input", () => {
	let served: Served;
	let unhandled: unknown[];
	const note = (error: unknown): void => void unhandled.push(error);

	before(() => {
		unhandled = [];
		process.on("unhandledRejection", note);
	});
	after(() => process.off("unhandledRejection", note));
	beforeEach(async () => {
		served = await serve({ maxFrameBytes: 4_096 });
	});
	/** Whatever happened: a bystander is still connected, and new clients are served. */
	afterEach(async () => {
		const bystander = await openWebSocket(served.port);
		bystander.send("served");
		await served.owners.at(-1)?.has(6);
		assert.equal((await ask(served.port, "/chat/negotiate")).status, 200);
		await served.close();
		assert.deepEqual(unhandled, []);
	});

	it("random bytes at the HTTP door", async () => {
		await fc.assert(
			fc.asyncProperty(fc.uint8Array({ maxLength: 400 }), (bytes) =>
				throwAt(served.port, Buffer.from(bytes)),
			),
			{ numRuns: 100 },
		);
	});

	const edits = fc.array(fc.tuple(fc.nat(1_000), fc.nat(255)), { minLength: 1, maxLength: 6 });

	it("mutated negotiate requests", async () => {
		const valid = Buffer.from(NEGOTIATE);
		await fc.assert(
			fc.asyncProperty(edits, (changes) => throwAt(served.port, mutate(valid, changes))),
			{ numRuns: 150 },
		);
	});

	it("mutated and truncated upgrade requests", async () => {
		const valid = Buffer.from(upgradeRequest("/chat?id=abc&x=%20"));
		await fc.assert(
			fc.asyncProperty(edits, fc.nat(valid.length), (changes, cut) =>
				throwAt(served.port, mutate(valid, changes).subarray(0, cut % 2 === 0 ? valid.length : cut)),
			),
			{ numRuns: 150 },
		);
	});

	it("random bytes at the WebSocket door", async () => {
		const upgrade = Buffer.from(upgradeRequest("/chat"));
		await fc.assert(
			fc.asyncProperty(fc.uint8Array({ maxLength: 600 }), (bytes) =>
				throwAt(served.port, Buffer.concat([upgrade, Buffer.from(bytes)])),
			),
			{ numRuns: 150 },
		);
		await Promise.all(served.owners.map((owner) => owner.closedWith));
		assert.equal(served.endpoint.connections, 0);
		assert(served.owners.every((owner) => owner.errors.length === 1));
	});

	it("headers without end", async () => {
		for (const request of [NEGOTIATE, upgradeRequest("/chat")]) {
			const socket = rawSocket(served.port);
			socket.write(
				request
					.replace("Host: a", `Host: a\r\nX-Long: ${"x".repeat(20_000)}`)
					.replace("Host: 127.0.0.1", `X-Long: ${"x".repeat(20_000)}`),
			);
			assert.match(await readAll(socket), /^HTTP\/1\.1 431 /);
		}
	});

	it("an upgrade request that never ends, and one that is cut", async () => {
		const half = rawSocket(served.port);
		half.write(upgradeRequest("/chat").slice(0, -2));
		await once(half, "connect");
		assert.equal((await ask(served.port, "/chat/negotiate")).status, 200);
		half.resetAndDestroy();
	});

	it("sockets that are reset right after they asked", async () => {
		for (const request of [
			NEGOTIATE,
			upgradeRequest("/chat"),
			upgradeRequest("/chat?id=x"),
			upgradeRequest("/chat/negotiate"),
		]) {
			for (let at = 0; at < 10; at++) {
				const socket = rawSocket(served.port);
				await once(socket, "connect");
				socket.write(request, () => socket.resetAndDestroy());
				await once(socket, "close");
			}
		}
	});

	it("an upgrade in the shadow of a request that was not answered yet", async () => {
		const socket = rawSocket(served.port);
		socket.end(NEGOTIATE + NEGOTIATE + upgradeRequest("/chat?id=unknown"));
		// Answers cannot be put in order any more: the connection ends, with or without the first of them.
		assert.doesNotMatch(await readAll(socket), /^HTTP\/1\.1 (101|5)/);
	});
});
