import assert from "node:assert/strict";
import { setImmediate as nextTurn } from "node:timers/promises";
import fc from "fast-check";
import { deferred } from "../../lib/base/index.js";
import type { ErrorCode } from "../../lib/errors/index.js";
import type { Connection, ConnectionListener } from "../../lib/transports/index.js";

/** The client's end of a connection under test. */
export interface ContractClient {
	send(bytes: Buffer): void;
	/** What arrived so far, in order. */
	readonly received: Buffer;
	/** In how many pieces it arrived, as the transport counts them (frames, events, poll bodies). */
	readonly pieces: number;
	/** Resolves when at least `bytes` have arrived. */
	arrived(bytes: number): Promise<void>;
	/** Ends the connection in order. */
	leave(): void;
	/** Cuts it off without a word. */
	vanish(): void;
	/** Stops taking bytes off the wire. */
	stopReading(): void;
	/** Resolves when the connection has ended from this side's view. */
	readonly ended: Promise<void>;
}

/** A server with one transport, and clients for it. */
export interface ConnectionFixture {
	/** Opens a connection; `own` is called with the server's end and gives its listener. */
	open(own: (connection: Connection) => ConnectionListener): Promise<ContractClient>;
	/** Connections that the server counts as open. */
	readonly connections: number;
	/** @defaultValue http */
	readonly protocol?: "http" | "https";
	close(): Promise<void>;
}

/** Settings that every fixture must build its endpoint with. */
export const CONTRACT_SETTINGS = { maxBufferedBytes: 256 * 1024 } as const;

/** Remembers what it hears, and fails when calls come where none may. */
export class Owner implements ConnectionListener {
	readonly connection: Connection;
	readonly chunks: Buffer[] = [];
	readonly errors: (Error | undefined)[] = [];
	readonly #closed = deferred<Error | undefined>();
	#wake = deferred();
	onData: (chunk: Buffer) => void = () => {};

	constructor(connection: Connection) {
		this.connection = connection;
	}

	get closedWith(): Promise<Error | undefined> {
		return this.#closed.promise;
	}

	get bytes(): Buffer {
		return Buffer.concat(this.chunks);
	}

	data(chunk: Buffer): void {
		assert.equal(this.errors.length, 0, "data came after closed");
		this.chunks.push(Buffer.from(chunk));
		this.onData(chunk);
		this.#wake.resolve();
		this.#wake = deferred();
	}

	closed(error?: Error): void {
		this.errors.push(error);
		this.#closed.resolve(error);
	}

	async has(bytes: number): Promise<void> {
		while (this.bytes.length < bytes) await this.#wake.promise;
	}
}

/** Runs what every {@link Connection} must hold, whatever carries it. Call it at the top level of a test file. */
export function connectionContract(name: string, openFixture: () => Promise<ConnectionFixture>): void {
	describe(`contract/connection: ${name}`, () => {
		let fixture: ConnectionFixture;

		beforeEach(async () => {
			fixture = await openFixture();
		});
		afterEach(() => fixture.close());

		async function connect(): Promise<{ client: ContractClient; owner: Owner; connection: Connection }> {
			let owner: Owner | undefined;
			const client = await fixture.open((connection) => {
				owner = new Owner(connection);
				return owner;
			});
			assert(owner);
			return { client, owner, connection: owner.connection };
		}

		it("carries bytes both ways", async () => {
			const { client, owner, connection } = await connect();
			client.send(Buffer.from("up, straße"));
			await owner.has(11);
			assert.equal(owner.bytes.toString(), "up, straße");
			connection.send(Buffer.from("down"), "Text");
			await client.arrived(4);
			assert.equal(client.received.toString(), "down");
			assert.equal(fixture.connections, 1);
		});

		it("keeps the order of bytes however the client splits them", async () => {
			const { client, owner } = await connect();
			const sent: Buffer[] = [];
			await fc.assert(
				fc.asyncProperty(
					fc.array(fc.uint8Array({ minLength: 1, maxLength: 300 }), { maxLength: 20 }),
					async (chunks) => {
						for (const chunk of chunks) sent.push(Buffer.from(chunk));
						for (const chunk of chunks) client.send(Buffer.from(chunk));
						const all = Buffer.concat(sent);
						await owner.has(all.length);
						assert.deepEqual(owner.bytes, all);
					},
				),
				{ numRuns: 25 },
			);
		});

		it("joins all that is sent in one turn, promises included, into one piece", async () => {
			const { client, connection } = await connect();
			await nextTurn();
			connection.send(Buffer.from("a"), "Text");
			process.nextTick(() => connection.send(Buffer.from("b"), "Text"));
			await Promise.resolve();
			connection.send(Buffer.from("c"), "Text");
			await Promise.resolve();
			connection.send(Buffer.from("d"), "Text");
			await client.arrived(4);
			assert.equal([...client.received.toString()].sort().join(""), "abcd");
			assert.equal(client.pieces, 1);
		});

		it("keeps the order of what is sent, small and large", async () => {
			const { client, connection } = await connect();
			const sizes = [0, 1, 125, 126, 65_535, 65_536, 3, 20_000, 16_384, 5];
			const all = sizes.map((size, at) => Buffer.alloc(size, 97 + at));
			for (const bytes of all) {
				connection.send(bytes, "Text");
				await client.arrived(0);
			}
			await client.arrived(Buffer.concat(all).length);
			assert.deepEqual(client.received, Buffer.concat(all));
		});

		it("delivers nothing while paused and everything after resume", async () => {
			const { client, owner, connection } = await connect();
			owner.onData = () => connection.pause();
			for (let at = 0; at < 50; at++) client.send(Buffer.from([at]));
			await owner.has(1);
			for (let turn = 0; turn < 20; turn++) await nextTurn();
			assert.equal(owner.chunks.length, 1);
			owner.onData = () => {};
			connection.resume();
			await owner.has(50);
			assert.deepEqual(owner.bytes, Buffer.from(Array.from({ length: 50 }, (_, at) => at)));
		});

		it("does not overlap calls when the owner pauses and resumes inside data", async () => {
			const { client, owner, connection } = await connect();
			let depth = 0;
			let deepest = 0;
			owner.onData = () => connection.pause();
			for (let at = 0; at < 50; at++) client.send(Buffer.from([at]));
			await owner.has(1);
			for (let turn = 0; turn < 20; turn++) await nextTurn();
			owner.onData = () => {
				deepest = Math.max(deepest, ++depth);
				connection.pause();
				connection.resume();
				depth--;
			};
			connection.resume();
			await owner.has(50);
			assert.equal(deepest, 1);
			assert.deepEqual(owner.bytes, Buffer.from(Array.from({ length: 50 }, (_, at) => at)));
		});

		it("close flushes what was sent, ends the client's side, and is heard once without an error", async () => {
			const { client, owner, connection } = await connect();
			connection.send(Buffer.from("last words"), "Text");
			connection.close();
			connection.close();
			connection.send(Buffer.from("too late"), "Text");
			assert.equal(owner.errors.length, 0, "closed is not called from inside close");
			assert.equal(await owner.closedWith, undefined);
			await client.ended;
			assert.equal(client.received.toString(), "last words");
			connection.abort();
			await nextTurn();
			assert.equal(owner.errors.length, 1);
			assert.equal(fixture.connections, 0);
		});

		it("close works while paused", async () => {
			const { client, owner, connection } = await connect();
			connection.pause();
			client.send(Buffer.from("unread"));
			connection.close();
			assert.equal(await owner.closedWith, undefined);
			assert.equal(owner.bytes.length, 0);
			await client.ended;
		});

		it("delivers nothing after close", async () => {
			const { client, owner, connection } = await connect();
			owner.onData = () => connection.close();
			for (let at = 0; at < 20; at++) client.send(Buffer.from([at]));
			await owner.closedWith;
			assert.equal(owner.chunks.length, 1);
		});

		it("abort ends it at once, is heard once, and never from inside the call", async () => {
			const { client, owner, connection } = await connect();
			let inside = -1;
			owner.onData = () => {
				connection.abort();
				inside = owner.errors.length;
			};
			client.send(Buffer.from("x"));
			assert.equal(await owner.closedWith, undefined);
			assert.equal(inside, 0);
			await client.ended;
			connection.abort();
			connection.close();
			await nextTurn();
			assert.equal(owner.errors.length, 1);
		});

		it("hears of a client that leaves, without an error, after all it sent", async () => {
			const { client, owner } = await connect();
			client.send(Buffer.from("goodbye"));
			client.leave();
			assert.equal(await owner.closedWith, undefined);
			assert.equal(owner.bytes.toString(), "goodbye");
			await client.ended;
			assert.equal(fixture.connections, 0);
		});

		it("hears of a client that vanishes, without an error", async () => {
			const { client, owner } = await connect();
			client.vanish();
			assert.equal(await owner.closedWith, undefined);
		});

		it("delivers what came before the end to an owner that had paused", async () => {
			const { client, owner, connection } = await connect();
			owner.onData = () => connection.pause();
			for (let at = 0; at < 20; at++) client.send(Buffer.from([at]));
			client.leave();
			await owner.has(1);
			for (let turn = 0; turn < 20; turn++) await nextTurn();
			owner.onData = () => {};
			connection.resume();
			await owner.closedWith;
			assert.equal(owner.bytes.length, 20);
		});

		it("aborts a client that does not read, with ERR_SLOW_CLIENT", async () => {
			const { client, owner, connection } = await connect();
			client.stopReading();
			const chunk = Buffer.alloc(64 * 1024, 120);
			let most = 0;
			while (owner.errors.length === 0) {
				connection.send(chunk, "Text");
				most = Math.max(most, connection.bufferedBytes);
				await nextTurn();
			}
			const code: ErrorCode | undefined = (owner.errors[0] as { code?: ErrorCode } | undefined)?.code;
			assert.equal(code, "ERR_SLOW_CLIENT");
			assert(most <= CONTRACT_SETTINGS.maxBufferedBytes + chunk.length + 64, `${most} bytes were held`);
		});

		it("lets its owner say its last words where more waits than may, behind all that was taken", async () => {
			const { client, owner, connection } = await connect();
			const told: (ErrorCode | undefined)[] = [];
			const tooSlow = (error: Error): void => {
				told.push((error as { code?: ErrorCode }).code);
				connection.send(Buffer.from("bye"), "Text");
				connection.close();
			};
			Object.assign(owner, { tooSlow });
			connection.maxBufferedBytes = 1_000;
			for (const text of ["a".repeat(2_000), "lost", "lost"]) connection.send(Buffer.from(text), "Text");
			assert.deepEqual(told, [], "never from inside send");
			await client.arrived(2_003);
			await client.ended;
			assert.equal(client.received.toString(), `${"a".repeat(2_000)}bye`);
			const closedWith = (await owner.closedWith) as { code?: ErrorCode } | undefined;
			assert.deepEqual([told, closedWith?.code], [["ERR_SLOW_CLIENT"], "ERR_SLOW_CLIENT"]);
		});

		it("tells its owner of room, however little may wait", async () => {
			const { client, owner, connection } = await connect();
			const room = deferred();
			Object.assign(owner, { drained: () => room.resolve() });
			connection.maxBufferedBytes = 4_000;
			connection.send(Buffer.alloc(2_000, 120), "Text");
			assert.equal(connection.isFull, true);
			await room.promise;
			assert.equal(connection.isFull, false);
			await client.arrived(2_000);
		});

		it("lets its owner change maxBufferedBytes", async () => {
			const { client, owner, connection } = await connect();
			assert.equal(connection.maxBufferedBytes, CONTRACT_SETTINGS.maxBufferedBytes);
			connection.maxBufferedBytes = 64 * 1024 * 1024;
			const chunk = Buffer.alloc(1024 * 1024, 122);
			for (let at = 0; at < 16; at++) connection.send(chunk, "Text");
			await client.arrived(16 * chunk.length);
			assert.deepEqual(owner.errors, []);
		});

		it("passes one message above maxBufferedBytes to a client that reads, and counts down to zero", async () => {
			const { client, owner, connection } = await connect();
			const large = Buffer.alloc(2 * CONTRACT_SETTINGS.maxBufferedBytes, 121);
			connection.send(large, "Text");
			await client.arrived(large.length);
			while (connection.bufferedBytes > 0) await nextTurn();
			connection.send(Buffer.from("!"), "Text");
			await client.arrived(large.length + 1);
			assert.deepEqual(owner.errors, []);
		});

		it("ends a connection whose owner throws, and no other", async () => {
			const bystander = await connect();
			const { client, owner } = await connect();
			owner.onData = () => {
				throw new Error("the owner's own mistake");
			};
			client.send(Buffer.from("x"));
			const error = await owner.closedWith;
			assert(error?.cause instanceof Error);
			assert.equal(error.cause.message, "the owner's own mistake");
			bystander.client.send(Buffer.from("still here"));
			await bystander.owner.has(10);
		});

		it("takes one listener only", async () => {
			const { connection, owner } = await connect();
			assert.throws(() => connection.listen(owner), { code: "ERR_TRANSPORT" });
		});

		it("goes to another owner, in the middle of its data too, without losing or doubling any", async () => {
			const { client, connection, owner } = await connect();
			const chunks: Buffer[] = [];
			const closed = deferred<Error | undefined>();
			owner.onData = () => {
				owner.onData = () => assert.fail("it belongs to somebody else");
				connection.release();
				connection.listen({
					data: (chunk) => void chunks.push(Buffer.from(chunk)),
					closed: (error) => closed.resolve(error),
				});
			};
			for (let at = 0; at < 50; at++) client.send(Buffer.from(`${at};`));
			const all = Array.from({ length: 50 }, (_, at) => `${at};`).join("");
			const got = (): string => Buffer.concat([...owner.chunks, ...chunks]).toString();
			while (got().length < all.length) await nextTurn();
			assert.equal(got(), all);
			connection.close();
			assert.equal(await closed.promise, undefined);
			assert.deepEqual(owner.errors, []);
		});

		it("describes the request that opened it and has an id of its own", async () => {
			const first = await connect();
			const second = await connect();
			assert.notEqual(first.connection.connectionId, second.connection.connectionId);
			assert.match(first.connection.connectionId, /^[A-Za-z0-9_-]{22}$/);
			const { request } = first.connection;
			assert.equal(request.ip, "127.0.0.1");
			assert.equal(request.remoteAddress, "127.0.0.1");
			assert.equal(request.protocol, fixture.protocol ?? "http");
			assert.match(request.host, /^127\.0\.0\.1:\d+$/);
			assert.deepEqual(request.ips, []);
		});
	});
}
