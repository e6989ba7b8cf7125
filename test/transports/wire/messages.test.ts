import assert from "node:assert/strict";
import { setImmediate as nextTurn } from "node:timers/promises";
import { BINARY, CONTINUATION, PING, PONG, TEXT } from "../../../lib/transports/frames/frame.js";
import { cutAt, frameOf } from "../frames/client-frames.js";
import { closeHex, closing, data, Wire } from "./peer.js";

describe("transports/wire/messages", () => {
	let wire: Wire;
	beforeEach(() => {
		wire = new Wire();
	});
	afterEach(() => wire.close());

	describe("frames", () => {
		for (const size of [0, 1, 125, 126, 127, 128, 65_535, 65_536, 100_000]) {
			it(`are taken with ${size} bytes, as text and as bytes`, async () => {
				const peer = await wire.connect();
				const payload = Buffer.alloc(size, "*");
				peer.say(data(TEXT, payload), data(BINARY, payload), data(TEXT, "."));
				await peer.owner.has(2 * size + 1);
				assert.equal(peer.owner.bytes.toString(), `${"*".repeat(2 * size)}.`);
			});
		}

		it("are taken with a length in more bytes than it needs", async () => {
			const peer = await wire.connect();
			peer.say(
				{ ...data(TEXT, "a"), lengthBytes: 2 },
				{ ...data(TEXT, "b"), lengthBytes: 8 },
				{ ...data(BINARY, Buffer.alloc(200, "c")), lengthBytes: 8 },
			);
			await peer.owner.has(202);
			assert.equal(peer.owner.bytes.toString(), `ab${"c".repeat(200)}`);
		});

		it("are taken with a key of zeros", async () => {
			const peer = await wire.connect();
			peer.say({ ...data(TEXT, "plain"), key: Buffer.alloc(4) });
			await peer.owner.has(5);
			assert.equal(peer.owner.bytes.toString(), "plain");
		});

		it("are taken that came right behind the handshake", async () => {
			const peer = await wire.connect({}, frameOf(data(TEXT, "early")));
			await peer.owner.has(5);
			assert.equal(peer.owner.bytes.toString(), "early");
		});

		it("are taken byte by byte", async () => {
			const peer = await wire.connect();
			const bytes = Buffer.concat(["slow ", "bytes"].map((text) => frameOf(data(TEXT, text))));
			peer.socket.setNoDelay(true);
			for (const piece of cutAt(bytes, [...bytes.keys()])) {
				peer.socket.write(piece);
				await nextTurn();
			}
			await peer.owner.has(10);
			assert.equal(peer.owner.bytes.toString(), "slow bytes");
		});
	});

	describe("fragments", () => {
		it("are one message, whatever control frames stand between them", async () => {
			const peer = await wire.connect();
			peer.say(
				data(TEXT, "a", false),
				data(PING, "1"),
				data(CONTINUATION, "", false),
				data(PONG, "2"),
				data(CONTINUATION, "b", false),
				data(PING, "3"),
				data(CONTINUATION, "c"),
				data(BINARY, "", false),
				data(CONTINUATION, "d"),
			);
			await peer.owner.has(4);
			assert.deepEqual(peer.owner.chunks.map(String), ["abc", "d"]);
			assert.equal(await peer.hear(6), "8a01318a0133");
		});

		it("that carry nothing are no message", async () => {
			const peer = await wire.connect();
			peer.say(data(TEXT, "", false), data(CONTINUATION, "", false), data(CONTINUATION, ""), data(PING, ""));
			assert.equal(await peer.hear(2), "8a00");
			assert.equal(peer.owner.chunks.length, 0);
		});

		it("may be left unfinished by a client that closes", async () => {
			const peer = await wire.connect();
			peer.say(data(TEXT, "half", false), closing(1001));
			assert.equal(await peer.hearAll(), closeHex(1001));
			peer.socket.end();
			assert.equal(await peer.owner.closedWith, undefined);
			assert.equal(peer.owner.bytes.length, 0);
		});
	});

	describe("text", () => {
		const good = {
			"of two to four bytes per character": "κόσμε €uro 𝄞",
			"with U+0000, U+FFFE and the last character": "\u0000\uFFFE\u{10FFFF}",
		};
		for (const [what, text] of Object.entries(good)) {
			it(`${what} is taken, in one frame and in fragments within its characters`, async () => {
				const peer = await wire.connect();
				const bytes = Buffer.from(text);
				const parts = [...bytes].map((byte, at) =>
					data(at === 0 ? TEXT : CONTINUATION, Buffer.of(byte), at === bytes.length - 1),
				);
				peer.say(data(TEXT, bytes), ...parts);
				await peer.owner.has(2 * bytes.length);
				assert.equal(peer.owner.bytes.toString(), text + text);
			});
		}

		const bad = {
			"a byte that begins nothing": "80",
			"a character that is cut": "e282",
			"an overlong slash": "c0af",
			"an overlong NUL": "c080",
			"a surrogate": "eda080",
			"more than U+10FFFF": "f4908080",
			"a byte that UTF-8 never has": "fe",
		};
		for (const [what, hex] of Object.entries(bad)) {
			it(`with ${what} ends it with 1007, in one frame and in fragments`, async () => {
				const bytes = Buffer.concat([Buffer.from("text "), Buffer.from(hex, "hex")]);
				const inOne = [data(TEXT, bytes)];
				const inTwo = [data(TEXT, bytes.subarray(0, 5), false), data(CONTINUATION, bytes.subarray(5))];
				for (const frames of [inOne, inTwo]) {
					const peer = await wire.connect();
					peer.say(...frames);
					assert.equal(await peer.hearAll(), closeHex(1007));
					peer.socket.end();
					assert.notEqual(await peer.owner.closedWith, undefined);
					assert.equal(peer.owner.bytes.length, 0);
				}
			});
		}

		it("may end within a character only where its bytes are no text", async () => {
			const peer = await wire.connect();
			const euro = Buffer.from("€");
			peer.say(data(BINARY, euro.subarray(0, 1)), data(BINARY, euro.subarray(1)));
			await peer.owner.has(3);
			peer.say(data(TEXT, euro.subarray(0, 1)), data(TEXT, euro.subarray(1)));
			assert.equal(await peer.hearAll(), closeHex(1007));
		});
	});

	it("a message is taken up to maxFrameBytes, and ends it with 1009 as soon as a header goes beyond", async () => {
		const whole = await wire.connect();
		whole.say(data(TEXT, Buffer.alloc(60_000, "x"), false), data(CONTINUATION, Buffer.alloc(40_000, "x")));
		await whole.owner.has(100_000);
		const announced = [
			{ ...data(BINARY, ""), length: 100_001n },
			{ ...data(BINARY, ""), length: 2n ** 53n },
			{ ...data(BINARY, ""), length: 2n ** 63n - 1n },
		];
		for (const frame of announced) {
			const peer = await wire.connect();
			peer.say(frame);
			assert.equal(await peer.hearAll(), closeHex(1009));
		}
		const peer = await wire.connect();
		peer.say(data(TEXT, Buffer.alloc(60_000), false), { ...data(CONTINUATION, ""), length: 40_001n });
		assert.equal(await peer.hearAll(), closeHex(1009));
	});
});
