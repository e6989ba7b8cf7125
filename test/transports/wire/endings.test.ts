import assert from "node:assert/strict";
import { setImmediate as nextTurn } from "node:timers/promises";
import { ManualClock } from "../../../lib/base/index.js";
import { PING, TEXT } from "../../../lib/transports/frames/frame.js";
import { frameOf } from "../frames/client-frames.js";
import { closeHex, closing, data, Wire } from "./peer.js";

describe("transports/wire/endings", () => {
	let wire: Wire;
	beforeEach(() => {
		wire = new Wire();
	});
	afterEach(() => wire.close());

	describe("the client's Close", () => {
		for (const code of [1000, 1001, 1002, 1003, 1007, 1011, 1012, 1014, 3000, 3999, 4000, 4999]) {
			it(`with ${code} is answered with it, and the socket ends`, async () => {
				const peer = await wire.connect();
				peer.say(closing(code));
				assert.equal(await peer.hearAll(), closeHex(code));
				peer.socket.end();
				assert.equal(await peer.owner.closedWith, undefined);
			});
		}

		it("without a code is answered without one", async () => {
			const peer = await wire.connect();
			peer.say(closing());
			assert.equal(await peer.hearAll(), "8800");
		});

		it("with a reason of 123 bytes is answered with it", async () => {
			const peer = await wire.connect();
			peer.say(closing(1000, "r".repeat(123)));
			assert.equal(await peer.hearAll(), `887d03e8${"72".repeat(123)}`);
		});

		it("with a reason that is no UTF-8 is answered with 1007", async () => {
			const peer = await wire.connect();
			peer.say(closing(1000, Buffer.of(0xff)));
			assert.equal(await peer.hearAll(), closeHex(1007));
		});

		it("is the last that is heard", async () => {
			const peer = await wire.connect();
			peer.say(data(TEXT, "first"), closing(1000), data(TEXT, "late"), data(PING, "late"), closing(4000));
			assert.equal(await peer.hearAll(), closeHex(1000));
			peer.socket.end();
			assert.equal(await peer.owner.closedWith, undefined);
			assert.equal(peer.owner.bytes.toString(), "first");
		});

		it("comes after what the turn still sends", async () => {
			const peer = await wire.connect();
			peer.owner.onData = () => peer.owner.connection.send(Buffer.from("answer"), "Text");
			peer.say(data(TEXT, "question"), closing(1000));
			assert.equal(await peer.hearAll(), `8106${Buffer.from("answer").toString("hex")}${closeHex(1000)}`);
		});

		it("while the owner reads nothing ends the socket all the same", async () => {
			const clock = new ManualClock();
			const peer = await wire.connect({ clock });
			peer.owner.onData = () => peer.owner.connection.pause();
			peer.say(data(TEXT, "x"), closing(1000));
			assert.equal(await peer.hearAll(), closeHex(1000));
			peer.owner.connection.resume();
			peer.owner.connection.pause();
			peer.socket.end();
			assert.equal(await peer.owner.closedWith, undefined);
			assert.equal(clock.pending, 0);
		});

		it("gives it closeTimeoutMs to end the socket", async () => {
			const clock = new ManualClock();
			const peer = await wire.connect({ clock, closeTimeoutMs: 3_000 });
			peer.say(closing(1000));
			await peer.hearAll();
			assert.equal(peer.owner.errors.length, 0);
			clock.advance(3_000);
			assert.equal(await peer.owner.closedWith, undefined);
			assert.equal(clock.pending, 0);
		});
	});

	describe("a client that ends its side without a Close", () => {
		it("is gone, and what it sent before is heard", async () => {
			const peer = await wire.connect();
			peer.socket.end(Buffer.concat([frameOf(data(TEXT, "bye")), frameOf(data(TEXT, "cut")).subarray(0, 7)]));
			assert.equal(await peer.owner.closedWith, undefined);
			assert.equal(peer.owner.bytes.toString(), "bye");
			assert.equal(await peer.hearAll(), "");
		});

		it("and does not read is cut after closeTimeoutMs", async () => {
			const clock = new ManualClock();
			const peer = await wire.connect({ clock });
			peer.socket.pause();
			const { connection } = peer.owner;
			while (!connection.isFull) {
				connection.send(Buffer.alloc(64 * 1024), "Binary");
				await nextTurn();
			}
			peer.socket.end();
			while (clock.pending === 0) await nextTurn();
			assert.equal(peer.owner.errors.length, 0);
			clock.advance(5_000);
			assert.equal(await peer.owner.closedWith, undefined);
			assert.equal(clock.pending, 0);
		});
	});
});
