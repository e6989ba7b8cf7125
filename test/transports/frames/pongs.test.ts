import assert from "node:assert/strict";
import { Duplex } from "node:stream";
import { setImmediate as nextTurn } from "node:timers/promises";
import { MAX_UNANSWERED_PINGS, Pongs } from "../../../lib/transports/frames/pongs.js";

/** A socket whose other end takes bytes when the test says so. */
class Slow extends Duplex {
	readonly written: string[] = [];
	#taken: (() => void) | undefined;

	override _read(): void {}

	override _write(chunk: Buffer, _encoding: string, taken: () => void): void {
		this.written.push(chunk.toString("hex"));
		this.#taken = taken;
	}

	async deliver(): Promise<void> {
		const taken = this.#taken;
		this.#taken = undefined;
		taken?.();
		await nextTurn();
	}
}

describe("transports/frames/pongs", () => {
	let socket: Slow;
	let pongs: Pongs;
	beforeEach(() => {
		socket = new Slow();
		pongs = new Pongs(socket);
	});

	function ping(text: string): void {
		pongs.add(Buffer.from(text));
	}

	it("writes those of a chunk at once", () => {
		ping("a");
		ping("b");
		pongs.flush();
		pongs.flush();
		assert.deepEqual(socket.written, ["8a01618a0162"]);
	});

	it("remembers the last ping alone while a pong is not taken, and answers that one then", async () => {
		ping("a");
		pongs.flush();
		for (const text of ["b", "c", "d"]) {
			ping(text);
			pongs.flush();
		}
		assert.equal(socket.written.length, 1);
		await socket.deliver();
		assert.deepEqual(socket.written, ["8a0161", "8a0164"]);
		await socket.deliver();
		ping("e");
		pongs.flush();
		assert.deepEqual(socket.written.slice(2), ["8a0165"]);
	});

	it("is flooded by more than MAX_UNANSWERED_PINGS, not by as many that are answered", async () => {
		for (let round = 0; round < 3; round++) {
			ping("first");
			pongs.flush();
			for (let at = 0; at < MAX_UNANSWERED_PINGS; at++) ping("more");
			assert.equal(pongs.isFlooded, false);
			await socket.deliver();
			await socket.deliver();
		}
		ping("first");
		pongs.flush();
		for (let at = 0; at <= MAX_UNANSWERED_PINGS; at++) ping("more");
		assert.equal(pongs.isFlooded, true);
	});

	it("writes nothing more once it was stopped, but what it had", async () => {
		ping("a");
		pongs.flush();
		ping("b");
		pongs.stop();
		await socket.deliver();
		assert.deepEqual(socket.written, ["8a0161"]);
		const other = new Slow();
		const late = new Pongs(other);
		late.add(Buffer.from("c"));
		late.stop();
		assert.deepEqual(other.written, ["8a0163"]);
	});
});
