import assert from "node:assert/strict";
import { once } from "node:events";
import type { Socket } from "node:net";
import { setImmediate as nextTurn } from "node:timers/promises";
import { ManualClock } from "../../../lib/base/index.js";
import type { EndpointOptions } from "../../../lib/transports/index.js";
import type { Owner } from "../../contracts/connection.js";
import { openWebSocket, rawSocket, type Served, serve, upgradeRequest, WebSocketClient } from "../serve.js";

const NO_MASK = Buffer.alloc(4);
/** A payload that is not handed on together with those before it. */
const LARGE = Buffer.alloc(1_025, "b");

/** A client's frame, masked with zeros. */
function frame(firstByte: number, payload: Buffer | string): Buffer {
	const bytes = Buffer.from(payload);
	const head = Buffer.alloc(bytes.length < 126 ? 2 : 4);
	head[0] = firstByte;
	head[1] = 0x80 | Math.min(bytes.length, 126);
	if (head.length === 4) head.writeUInt16BE(bytes.length, 2);
	return Buffer.concat([head, NO_MASK, bytes]);
}

/** All that has come to `socket` once `done` holds. */
async function readUntil(socket: Socket, done: (bytes: Buffer) => boolean): Promise<Buffer> {
	let bytes = Buffer.alloc(0);
	while (!done(bytes)) {
		const [data] = (await once(socket, "data")) as [Buffer];
		bytes = Buffer.concat([bytes, data]);
	}
	return bytes;
}

async function openRaw(served: Served): Promise<{ socket: Socket; owner: Owner }> {
	const socket = rawSocket(served.port);
	socket.write(upgradeRequest("/chat"));
	await readUntil(socket, (bytes) => bytes.includes("\r\n\r\n"));
	const owner = served.owners.at(-1);
	assert(owner);
	return { socket, owner };
}

describe("transports/carriers/web-socket", () => {
	let served: Served;
	async function start(options: Partial<EndpointOptions> = {}): Promise<void> {
		served = await serve(options);
	}
	afterEach(() => served.close());

	it("sends text frames and binary frames as told, each run of one kind as one frame", async () => {
		await start();
		const { socket, owner } = await openRaw(served);
		const { connection } = owner;
		connection.send(Buffer.from("a"), "Text");
		connection.send(Buffer.from("b"), "Text");
		connection.send(Buffer.from("c"), "Binary");
		connection.send(Buffer.from("d"), "Text");
		const bytes = await readUntil(socket, (read) => read.length >= 10);
		assert.equal(bytes.toString("hex"), "81026162" + "820163" + "810164");
		socket.destroy();
	});

	it("writes the three forms of a frame's length", async () => {
		await start();
		const { socket, owner } = await openRaw(served);
		const headers = { 125: "817d", 126: "817e007e", 65535: "817effff", 65536: "817f0000000000010000" };
		for (const [size, header] of Object.entries(headers)) {
			const expected = Number(size) + header.length / 2;
			owner.connection.send(Buffer.alloc(Number(size), 120), "Text");
			const bytes = await readUntil(socket, (read) => read.length >= expected);
			assert.equal(bytes.toString("hex", 0, header.length / 2), header);
			assert.equal(bytes.length, expected);
		}
		socket.destroy();
	});

	it("ignores the kind of the client's frames and where they are cut", async () => {
		await start();
		const { socket, owner } = await openRaw(served);
		const euro = Buffer.from("€");
		const frames = [
			frame(0x82, euro.subarray(0, 1)),
			frame(0x82, euro.subarray(1)),
			frame(0x81, "text"),
			frame(0x01, "frag"),
			frame(0x80, "ment"),
			frame(0x81, ""),
		];
		for (const byte of Buffer.concat(frames)) socket.write(Buffer.of(byte));
		await owner.has(15);
		assert.equal(owner.bytes.toString(), "€textfragment");
		socket.destroy();
	});

	it("passes a message of 32768 bytes and a frame of many messages by default", async () => {
		await start();
		const webSocket = await openWebSocket(served.port);
		webSocket.send(Buffer.alloc(32_768));
		webSocket.send('{"type":6}\x1e'.repeat(40_000));
		await served.owners[0]?.has(32_768 + 440_000);
	});

	it("passes a message of any size where maxFrameBytes is null", async () => {
		await start({ maxFrameBytes: null });
		const webSocket = await openWebSocket(served.port);
		webSocket.send(Buffer.alloc(3 * 1024 * 1024));
		await served.owners[0]?.has(3 * 1024 * 1024);
	});

	it("answers the client's close with its code, and hears of no error whatever the code", async () => {
		await start();
		for (const code of [1000, 1001, 4321]) {
			const webSocket = await openWebSocket(served.port);
			webSocket.close(code, "because");
			const [answered] = await once(webSocket, "close");
			assert.equal(answered, code);
			assert.equal(await served.owners.at(-1)?.closedWith, undefined);
		}
	});

	it("closes with code 1000 and an empty reason, after what was sent", async () => {
		await start();
		const { socket, owner } = await openRaw(served);
		owner.connection.send(Buffer.from("bye"), "Text");
		owner.connection.close();
		const bytes = await readUntil(socket, (read) => read.length >= 9);
		assert.equal(bytes.toString("hex"), "8103627965" + "880203e8");
		socket.end(frame(0x88, Buffer.from([0x03, 0xe8])));
		assert.equal(await owner.closedWith, undefined);
	});

	it("aborts a client that does not answer a close in closeTimeoutMs", async () => {
		const clock = new ManualClock();
		await start({ clock, closeTimeoutMs: 5_000 });
		const { socket, owner } = await openRaw(served);
		const ended = once(socket, "close");
		owner.connection.close();
		clock.advance(4_999);
		await nextTurn();
		assert.equal(owner.errors.length, 0);
		clock.advance(1);
		assert.equal(await owner.closedWith, undefined);
		socket.destroy();
		await ended;
		assert.equal(clock.pending, 0);
	});

	it("gives up the bytes of a client that is gone when the owner does not resume in closeTimeoutMs", async () => {
		const clock = new ManualClock();
		await start({ clock });
		const { socket, owner } = await openRaw(served);
		owner.onData = () => owner.connection.pause();
		const opened = served.endpoint.connections;
		socket.end(Buffer.concat([frame(0x82, "a"), frame(0x82, LARGE), frame(0x88, Buffer.from([0x03, 0xe8]))]));
		socket.resume();
		while (clock.pending === 0) await nextTurn();
		assert.deepEqual([opened, owner.errors.length], [1, 0]);
		clock.advance(5_000);
		assert.equal(await owner.closedWith, undefined);
		assert.equal(owner.bytes.toString(), "a");
		owner.connection.resume();
		assert.equal(owner.bytes.toString(), "a");
	});

	it("reports closed outside the owner's call when it ends a connection whose client is gone", async () => {
		const clock = new ManualClock();
		await start({ clock });
		for (const how of ["close", "abort"] as const) {
			const { socket, owner } = await openRaw(served);
			owner.onData = () => owner.connection.pause();
			socket.end(
				Buffer.concat([frame(0x82, "a"), frame(0x82, LARGE), frame(0x88, Buffer.from([0x03, 0xe8]))]),
			);
			socket.resume();
			while (clock.pending === 0) await nextTurn();
			owner.connection[how]();
			assert.equal(owner.errors.length, 0);
			await owner.closedWith;
			assert.equal(clock.pending, 0);
		}
	});

	const violations: Record<string, { bytes: Buffer; code: number }> = {
		"an unmasked frame": { bytes: Buffer.from("810161", "hex"), code: 1002 },
		"a reserved opcode": { bytes: frame(0x83, "x"), code: 1002 },
		"a reserved bit": { bytes: frame(0xc1, "x"), code: 1002 },
		"text that is no UTF-8": { bytes: frame(0x81, Buffer.from([0xff])), code: 1007 },
		"a continuation of nothing": { bytes: frame(0x80, "x"), code: 1002 },
		"a message over maxFrameBytes": { bytes: frame(0x82, Buffer.alloc(1_001)), code: 1009 },
		"fragments that sum up over maxFrameBytes": {
			bytes: Buffer.concat([frame(0x02, Buffer.alloc(600)), frame(0x80, Buffer.alloc(600))]),
			code: 1009,
		},
	};
	for (const [what, { bytes, code }] of Object.entries(violations)) {
		it(`ends a connection with ${code} for ${what}, and says so to its owner`, async () => {
			await start({ maxFrameBytes: 1_000 });
			const bystander = await openRaw(served);
			const { socket, owner } = await openRaw(served);
			socket.write(bytes);
			const answer = await readUntil(socket, (read) => read.length >= 4);
			assert.equal(answer[0], 0x88);
			assert.equal(answer.readUInt16BE(2), code);
			socket.destroy();
			const error = await owner.closedWith;
			assert.equal((error as { code?: string } | undefined)?.code, "ERR_TRANSPORT");
			assert(error?.cause instanceof Error);
			assert.equal(owner.bytes.length, 0);
			bystander.socket.write(frame(0x82, "fine"));
			await bystander.owner.has(4);
			bystander.socket.destroy();
		});
	}

	it("takes the fragments that .NET's client makes of a message of maxFrameBytes: 4 KB each, and an empty last one", async () => {
		await start({ maxFrameBytes: 1024 * 1024 });
		const { socket, owner } = await openRaw(served);
		const part = Buffer.alloc(4_096, 120);
		const parts = Array.from({ length: 256 }, (_, at) => frame(at === 0 ? 0x01 : 0x00, part));
		socket.write(Buffer.concat([...parts, frame(0x80, "")]));
		await owner.has(1024 * 1024);
		socket.destroy();
	});

	it("ends a connection whose message comes in more fragments than any client makes, whatever lies between them", async () => {
		await start({ maxFrameBytes: 40_960 });
		const { socket, owner } = await openRaw(served);
		const pongs = Buffer.concat(Array.from({ length: 2 }, () => frame(0x8a, Buffer.alloc(125))));
		const bound = 16 + 10;
		socket.write(frame(0x01, "x"));
		for (let at = 1; at < bound; at++) socket.write(Buffer.concat([pongs, frame(0x00, "x")]));
		socket.write(frame(0x89, "alive"));
		const pong = await readUntil(socket, (read) => read.length >= 7);
		assert.equal(pong.subarray(2).toString(), "alive");
		assert.equal(owner.errors.length, 0);
		socket.write(frame(0x00, "x"));
		const answer = await readUntil(socket, (read) => read.length >= 4);
		assert.deepEqual([answer[0], answer.readUInt16BE(2)], [0x88, 1008]);
		socket.destroy();
		const error = await owner.closedWith;
		assert.equal((error as { code?: string } | undefined)?.code, "ERR_TRANSPORT");
	});

	it("ends a connection whose frame comes in pieces smaller than any network makes", async () => {
		await start({ maxFrameBytes: 4_096 });
		const { socket, owner } = await openRaw(served);
		socket.setNoDelay(true);
		const bytes = frame(0x82, Buffer.alloc(4_000));
		let answer = Buffer.alloc(0);
		socket.on("data", (data) => {
			answer = Buffer.concat([answer, data]);
		});
		for (let sent = 0; answer.length < 4 && sent < bytes.length; sent++) {
			socket.write(bytes.subarray(sent, sent + 1));
			await nextTurn();
		}
		assert.equal(owner.bytes.length, 0);
		assert.deepEqual([answer[0], answer.readUInt16BE(2)], [0x88, 1008]);
		socket.destroy();
		const error = await owner.closedWith;
		assert.equal((error as { code?: string } | undefined)?.code, "ERR_TRANSPORT");
	});

	it("gives up a client that broke the rules and does not go, in closeTimeoutMs", async () => {
		const clock = new ManualClock();
		await start({ clock });
		const { socket, owner } = await openRaw(served);
		socket.write(frame(0x83, "x"));
		while (clock.pending === 0) await nextTurn();
		clock.advance(5_000);
		assert.notEqual(await owner.closedWith, undefined);
		socket.destroy();
	});

	it("ends a client that pings and never reads the pongs", async () => {
		await start();
		const { socket, owner } = await openRaw(served);
		socket.pause();
		const pings = Buffer.concat(Array.from({ length: 500 }, () => frame(0x89, Buffer.alloc(125))));
		while (!socket.destroyed && owner.errors.length === 0) {
			if (socket.writableLength < pings.length) socket.write(pings);
			await nextTurn();
		}
		assert.equal(await owner.closedWith, undefined);
		socket.destroy();
	});

	it("answers a ping", async () => {
		await start();
		const { socket } = await openRaw(served);
		socket.write(frame(0x89, "hi"));
		const bytes = await readUntil(socket, (read) => read.length >= 4);
		assert.equal(bytes.toString("hex"), "8a026869");
		socket.destroy();
	});

	it("writes early what outgrows a turn, and counts it as buffered until it is taken", async () => {
		await start({ maxBufferedBytes: 8 * 1024 * 1024 });
		const client = new WebSocketClient(await openWebSocket(served.port));
		const connection = served.owners[0]?.connection;
		assert(connection);
		for (let at = 0; at < 300; at++) connection.send(Buffer.alloc(1_000, at), "Binary");
		await client.arrived(300_000);
		assert(client.pieces > 1 && client.pieces < 10, `${client.pieces} frames`);
		assert.deepEqual(
			client.received,
			Buffer.concat(Array.from({ length: 300 }, (_, at) => Buffer.alloc(1_000, at))),
		);
	});

	it("waits closeTimeoutMs for a client that has begun to close and leaves its socket open", async () => {
		await start({ closeTimeoutMs: 1 });
		const { socket, owner } = await openRaw(served);
		socket.write(frame(0x88, Buffer.from([0x03, 0xe8])));
		assert.equal(await owner.closedWith, undefined);
		socket.destroy();
	});

	it("lets the event loop turn after some hundreds of frames, whatever is in them", async () => {
		await start({ maxFrameBytes: 4_096 });
		for (const part of [frame(0x81, ""), frame(0x81, "x")]) {
			const { socket, owner } = await openRaw(served);
			// Far more than Node reads before it looks at another socket.
			const count = 200_000;
			socket.write(Buffer.alloc(count * part.length, part));
			socket.write(frame(0x81, "end"));
			let turns = 0;
			// Small messages of one chunk come as one.
			while (!owner.chunks.at(-1)?.subarray(-3).equals(Buffer.from("end"))) {
				turns++;
				await nextTurn();
			}
			assert(turns > 8, `${turns} turns`);
			socket.destroy();
		}
	});
});
