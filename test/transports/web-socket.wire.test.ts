import assert from "node:assert/strict";
import { once } from "node:events";
import type { Socket } from "node:net";
import { setImmediate as nextTurn } from "node:timers/promises";
import { ManualClock } from "../../lib/base/index.js";
import { BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT } from "../../lib/transports/frames/frame.js";
import type { EndpointOptions } from "../../lib/transports/index.js";
import type { Owner } from "../contracts/connection.js";
import { type ClientFrame, cutAt, frameOf } from "./frames/client-frames.js";
import { rawSocket, type Served, serve, upgradeRequest } from "./serve.js";

/** A raw socket behind its handshake. */
class Peer {
	readonly socket: Socket;
	readonly owner: Owner;
	#bytes: Buffer = Buffer.alloc(0);
	isEnded = false;

	constructor(socket: Socket, owner: Owner, head: Buffer) {
		this.socket = socket;
		this.owner = owner;
		this.#bytes = head;
		socket.on("data", (data) => {
			this.#bytes = Buffer.concat([this.#bytes, data]);
		});
		socket.on("end", () => {
			this.isEnded = true;
		});
	}

	say(...frames: ClientFrame[]): void {
		this.socket.write(Buffer.concat(frames.map(frameOf)));
	}

	/** All that came, once it is `length` bytes or the server has ended its side. */
	async hear(length: number): Promise<string> {
		while (this.#bytes.length < length && !this.isEnded) await nextTurn();
		return this.#bytes.toString("hex");
	}

	/** All that came until the server ended its side. */
	hearAll(): Promise<string> {
		return this.hear(Number.POSITIVE_INFINITY);
	}
}

function data(opcode: number, payload: Buffer | string, isFinal = true): ClientFrame {
	return { opcode, payload: Buffer.from(payload), isFinal };
}

function closing(code?: number, reason: Buffer | string = ""): ClientFrame {
	const status = Buffer.alloc(code === undefined ? 0 : 2);
	if (code !== undefined) status.writeUInt16BE(code);
	return data(CLOSE, Buffer.concat([status, Buffer.from(reason)]));
}

/** The server's Close with that code. */
function closeHex(code: number): string {
	return `8802${code.toString(16).padStart(4, "0")}`;
}

describe("transports/web-socket, on the wire", () => {
	let served: Served;
	const peers: Peer[] = [];

	async function connect(
		options: Partial<EndpointOptions> = {},
		behind: Buffer = Buffer.alloc(0),
	): Promise<Peer> {
		served ??= await serve({ maxFrameBytes: 100_000, ...options });
		const socket = rawSocket(served.port);
		socket.write(Buffer.concat([Buffer.from(upgradeRequest("/chat")), behind]));
		let head: Buffer = Buffer.alloc(0);
		while (!head.includes("\r\n\r\n"))
			head = Buffer.concat([head, ...((await once(socket, "data")) as [Buffer])]);
		const owner = served.owners.at(-1);
		assert(owner);
		const peer = new Peer(socket, owner, head.subarray(head.indexOf("\r\n\r\n") + 4));
		peers.push(peer);
		return peer;
	}

	afterEach(async () => {
		for (const { socket } of peers.splice(0)) socket.destroy();
		await served.close();
		served = undefined as unknown as Served;
	});

	describe("frames", () => {
		for (const size of [0, 1, 125, 126, 127, 128, 65_535, 65_536, 100_000]) {
			it(`are taken with ${size} bytes, as text and as bytes`, async () => {
				const peer = await connect();
				const payload = Buffer.alloc(size, "*");
				peer.say(data(TEXT, payload), data(BINARY, payload), data(TEXT, "."));
				await peer.owner.has(2 * size + 1);
				assert.equal(peer.owner.bytes.toString(), `${"*".repeat(2 * size)}.`);
			});
		}

		it("are taken with a length in more bytes than it needs", async () => {
			const peer = await connect();
			peer.say(
				{ ...data(TEXT, "a"), lengthBytes: 2 },
				{ ...data(TEXT, "b"), lengthBytes: 8 },
				{ ...data(BINARY, Buffer.alloc(200, "c")), lengthBytes: 8 },
			);
			await peer.owner.has(202);
			assert.equal(peer.owner.bytes.toString(), `ab${"c".repeat(200)}`);
		});

		it("are taken with a key of zeros", async () => {
			const peer = await connect();
			peer.say({ ...data(TEXT, "plain"), key: Buffer.alloc(4) });
			await peer.owner.has(5);
			assert.equal(peer.owner.bytes.toString(), "plain");
		});

		it("are taken that came right behind the handshake", async () => {
			const peer = await connect({}, frameOf(data(TEXT, "early")));
			await peer.owner.has(5);
			assert.equal(peer.owner.bytes.toString(), "early");
		});

		it("are taken byte by byte", async () => {
			const peer = await connect();
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

	describe("a ping", () => {
		for (const payload of ["", "hello", "\x00\xff\xfe", "*".repeat(125)]) {
			it(`with ${Buffer.byteLength(payload, "latin1")} bytes is answered with them`, async () => {
				const peer = await connect();
				const bytes = Buffer.from(payload, "latin1");
				peer.say(data(PING, bytes));
				const pong = `8a${bytes.length.toString(16).padStart(2, "0")}${bytes.toString("hex")}`;
				assert.equal(await peer.hear(pong.length / 2), pong);
			});
		}

		it("is answered each time, in order", async () => {
			const peer = await connect();
			peer.say(...Array.from({ length: 10 }, (_, at) => data(PING, `${at}`)));
			const pongs = Array.from({ length: 10 }, (_, at) => `8a013${at}`).join("");
			assert.equal(await peer.hear(30), pongs);
		});

		it("is answered with what the turn sends, and before the Close", async () => {
			const peer = await connect();
			peer.owner.onData = () => peer.owner.connection.close();
			peer.say(data(PING, "p"), data(TEXT, "end"), data(PING, "q"));
			assert.equal(await peer.hear(7), `8a0170${closeHex(1000)}`);
		});

		it("is not answered once the closing handshake has begun", async () => {
			const peer = await connect();
			peer.owner.connection.close();
			peer.say(data(PING, "p"), closing(1000));
			assert.equal(await peer.hearAll(), closeHex(1000));
		});
	});

	it("a pong that nobody asked for is ignored", async () => {
		const peer = await connect();
		peer.say(data(PONG, "unasked"), data(TEXT, "x"), data(PONG, ""), data(PING, "y"));
		assert.equal(await peer.hear(3), "8a0179");
		assert.equal(peer.owner.bytes.toString(), "x");
	});

	it("a client that pings and does not read holds no pong but the last", async () => {
		const peer = await connect();
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

	const malformed: Record<string, readonly ClientFrame[]> = {
		"with RSV1 set": [{ ...data(TEXT, "x"), reserved: 0x40 }],
		"with RSV2 set": [{ ...data(TEXT, "x"), reserved: 0x20 }],
		"with RSV3 set": [{ ...data(TEXT, "x"), reserved: 0x10 }],
		"with all reserved bits set, of a ping": [{ ...data(PING, "x"), reserved: 0x70 }],
		"with RSV1 set, of a Close": [{ ...closing(1000), reserved: 0x40 }],
		"that is not masked": [{ ...data(TEXT, "x"), key: undefined }],
		"that is an unmasked ping": [{ ...data(PING, ""), key: undefined }],
		"with half a status code": [data(CLOSE, "x")],
		"that is a ping of 126 bytes": [data(PING, Buffer.alloc(126))],
		"that is a Close of 126 bytes": [closing(1000, Buffer.alloc(124))],
		"that is a fragmented ping": [data(PING, "x", false), data(CONTINUATION, "y")],
		"that is a fragmented Close": [data(CLOSE, "", false)],
		"that continues nothing": [data(CONTINUATION, "x")],
		"that continues nothing, and is not the last": [data(CONTINUATION, "x", false)],
		"that continues what was ended": [data(TEXT, "", false), data(CONTINUATION, ""), data(CONTINUATION, "x")],
		"that begins a message within another": [data(TEXT, "", false), data(TEXT, "x")],
		"that begins a message within one of bytes": [data(BINARY, "", false), data(TEXT, "x", false)],
		"whose 64-bit length is negative": [{ ...data(BINARY, ""), length: 2n ** 63n, lengthBytes: 8 }],
	};
	for (const opcode of [3, 4, 5, 6, 7, 11, 12, 13, 14, 15]) {
		malformed[`with the reserved opcode ${opcode}`] = [data(opcode, "x")];
	}
	for (const code of [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535]) {
		malformed[`that closes with ${code}`] = [closing(code)];
	}
	for (const [what, frames] of Object.entries(malformed)) {
		it(`a frame ${what} ends it with 1002, and nothing behind it is heard`, async () => {
			const peer = await connect();
			peer.say(data(TEXT, "fine"), ...frames, data(TEXT, "late"), data(PING, "late"));
			assert.equal(await peer.hearAll(), closeHex(1002));
			peer.socket.end();
			const error = await peer.owner.closedWith;
			assert.equal((error as { code?: string } | undefined)?.code, "ERR_TRANSPORT");
			assert.equal(peer.owner.bytes.toString(), "fine");
		});
	}

	describe("fragments", () => {
		it("are one message, whatever control frames stand between them", async () => {
			const peer = await connect();
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
			const peer = await connect();
			peer.say(data(TEXT, "", false), data(CONTINUATION, "", false), data(CONTINUATION, ""), data(PING, ""));
			assert.equal(await peer.hear(2), "8a00");
			assert.equal(peer.owner.chunks.length, 0);
		});

		it("may be left unfinished by a client that closes", async () => {
			const peer = await connect();
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
				const peer = await connect();
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
					const peer = await connect();
					peer.say(...frames);
					assert.equal(await peer.hearAll(), closeHex(1007));
					peer.socket.end();
					assert.notEqual(await peer.owner.closedWith, undefined);
					assert.equal(peer.owner.bytes.length, 0);
				}
			});
		}

		it("may end within a character only where its bytes are no text", async () => {
			const peer = await connect();
			const euro = Buffer.from("€");
			peer.say(data(BINARY, euro.subarray(0, 1)), data(BINARY, euro.subarray(1)));
			await peer.owner.has(3);
			peer.say(data(TEXT, euro.subarray(0, 1)), data(TEXT, euro.subarray(1)));
			assert.equal(await peer.hearAll(), closeHex(1007));
		});
	});

	describe("the client's Close", () => {
		for (const code of [1000, 1001, 1002, 1003, 1007, 1011, 1012, 1014, 3000, 3999, 4000, 4999]) {
			it(`with ${code} is answered with it, and the socket ends`, async () => {
				const peer = await connect();
				peer.say(closing(code));
				assert.equal(await peer.hearAll(), closeHex(code));
				peer.socket.end();
				assert.equal(await peer.owner.closedWith, undefined);
			});
		}

		it("without a code is answered without one", async () => {
			const peer = await connect();
			peer.say(closing());
			assert.equal(await peer.hearAll(), "8800");
		});

		it("with a reason of 123 bytes is answered with it", async () => {
			const peer = await connect();
			peer.say(closing(1000, "r".repeat(123)));
			assert.equal(await peer.hearAll(), `887d03e8${"72".repeat(123)}`);
		});

		it("with a reason that is no UTF-8 is answered with 1007", async () => {
			const peer = await connect();
			peer.say(closing(1000, Buffer.of(0xff)));
			assert.equal(await peer.hearAll(), closeHex(1007));
		});

		it("is the last that is heard", async () => {
			const peer = await connect();
			peer.say(data(TEXT, "first"), closing(1000), data(TEXT, "late"), data(PING, "late"), closing(4000));
			assert.equal(await peer.hearAll(), closeHex(1000));
			peer.socket.end();
			assert.equal(await peer.owner.closedWith, undefined);
			assert.equal(peer.owner.bytes.toString(), "first");
		});

		it("comes after what the turn still sends", async () => {
			const peer = await connect();
			peer.owner.onData = () => peer.owner.connection.send(Buffer.from("answer"), "Text");
			peer.say(data(TEXT, "question"), closing(1000));
			assert.equal(await peer.hearAll(), `8106${Buffer.from("answer").toString("hex")}${closeHex(1000)}`);
		});

		it("while the owner reads nothing ends the socket all the same", async () => {
			const clock = new ManualClock();
			const peer = await connect({ clock });
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
			const peer = await connect({ clock, closeTimeoutMs: 3_000 });
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
			const peer = await connect();
			peer.socket.end(Buffer.concat([frameOf(data(TEXT, "bye")), frameOf(data(TEXT, "cut")).subarray(0, 7)]));
			assert.equal(await peer.owner.closedWith, undefined);
			assert.equal(peer.owner.bytes.toString(), "bye");
			assert.equal(await peer.hearAll(), "");
		});

		it("and does not read is cut after closeTimeoutMs", async () => {
			const clock = new ManualClock();
			const peer = await connect({ clock });
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

	it("a message is taken up to maxFrameBytes, and ends it with 1009 as soon as a header goes beyond", async () => {
		const whole = await connect();
		whole.say(data(TEXT, Buffer.alloc(60_000, "x"), false), data(CONTINUATION, Buffer.alloc(40_000, "x")));
		await whole.owner.has(100_000);
		const announced = [
			{ ...data(BINARY, ""), length: 100_001n },
			{ ...data(BINARY, ""), length: 2n ** 53n },
			{ ...data(BINARY, ""), length: 2n ** 63n - 1n },
		];
		for (const frame of announced) {
			const peer = await connect();
			peer.say(frame);
			assert.equal(await peer.hearAll(), closeHex(1009));
		}
		const peer = await connect();
		peer.say(data(TEXT, Buffer.alloc(60_000), false), { ...data(CONTINUATION, ""), length: 40_001n });
		assert.equal(await peer.hearAll(), closeHex(1009));
	});
});
