import assert from "node:assert/strict";
import { setImmediate as nextTurn } from "node:timers/promises";
import { PING, PONG, TEXT } from "../../../lib/transports/frames/frame.js";
import { frameOf } from "../frames/client-frames.js";
import { closeHex, closing, data, Wire } from "./peer.js";

describe("transports/wire/control-frames", () => {
	let wire: Wire;
	beforeEach(() => {
		wire = new Wire();
	});
	afterEach(() => wire.close());

	describe("a ping", () => {
		for (const payload of ["", "hello", "\x00\xff\xfe", "*".repeat(125)]) {
			it(`with ${Buffer.byteLength(payload, "latin1")} bytes is answered with them`, async () => {
				const peer = await wire.connect();
				const bytes = Buffer.from(payload, "latin1");
				peer.say(data(PING, bytes));
				const pong = `8a${bytes.length.toString(16).padStart(2, "0")}${bytes.toString("hex")}`;
				assert.equal(await peer.hear(pong.length / 2), pong);
			});
		}

		it("is answered each time, in order", async () => {
			const peer = await wire.connect();
			peer.say(...Array.from({ length: 10 }, (_, at) => data(PING, `${at}`)));
			const pongs = Array.from({ length: 10 }, (_, at) => `8a013${at}`).join("");
			assert.equal(await peer.hear(30), pongs);
		});

		it("is answered with what the turn sends, and before the Close", async () => {
			const peer = await wire.connect();
			peer.owner.onData = () => peer.owner.connection.close();
			peer.say(data(PING, "p"), data(TEXT, "end"), data(PING, "q"));
			assert.equal(await peer.hear(7), `8a0170${closeHex(1000)}`);
		});

		it("is not answered once the closing handshake has begun", async () => {
			const peer = await wire.connect();
			peer.owner.connection.close();
			peer.say(data(PING, "p"), closing(1000));
			assert.equal(await peer.hearAll(), closeHex(1000));
		});
	});

	it("a pong that nobody asked for is ignored", async () => {
		const peer = await wire.connect();
		peer.say(data(PONG, "unasked"), data(TEXT, "x"), data(PONG, ""), data(PING, "y"));
		assert.equal(await peer.hear(3), "8a0179");
		assert.equal(peer.owner.bytes.toString(), "x");
	});

	it("a client that pings and does not read holds no pong but the last", async () => {
		const peer = await wire.connect();
		peer.socket.pause();
		const pings = Buffer.concat(Array.from({ length: 100 }, () => frameOf(data(PING, Buffer.alloc(125)))));
		let most = 0;
		while (peer.owner.errors.length === 0) {
			if (peer.socket.writableLength < pings.length) peer.socket.write(pings);
			most = Math.max(most, peer.owner.connection.bufferedBytes);
			await nextTurn();
		}
		assert(most <= 256 * 1024, `${most} bytes waited`);
	});

	it("lets the event loop turn after some hundreds of frames, whatever is in them", async () => {
		for (const part of [data(TEXT, ""), data(PONG, ""), data(TEXT, "x")].map(frameOf)) {
			const peer = await wire.connect();
			// Far more than Node reads before it looks at another socket.
			peer.socket.write(Buffer.alloc(200_000 * part.length, part));
			peer.say(data(TEXT, "end"));
			let turns = 0;
			while (!peer.owner.chunks.at(-1)?.subarray(-3).equals(Buffer.from("end"))) {
				turns++;
				await nextTurn();
			}
			assert(turns > 8, `${turns} turns`);
		}
	});

	it("goes on after such a turn as its owner wants: paused, resumed, or closed", async () => {
		const flood = Buffer.alloc(600 * 7, frameOf(data(TEXT, "x")));
		const peer = await wire.connect();
		const { owner } = peer;
		owner.onData = () => owner.connection.pause();
		peer.socket.write(flood);
		await owner.has(600);
		for (let turn = 0; turn < 5; turn++) await nextTurn();
		peer.say(data(TEXT, "late"));
		for (let turn = 0; turn < 5; turn++) await nextTurn();
		assert.equal(owner.bytes.length, 600);
		owner.onData = () => {};
		owner.connection.resume();
		await owner.has(604);
		owner.onData = () => owner.connection.close();
		peer.socket.write(flood);
		peer.say(closing(1000));
		assert.equal(await peer.hearAll(), closeHex(1000));
		peer.socket.end();
		assert.equal(await owner.closedWith, undefined);
	});
});
