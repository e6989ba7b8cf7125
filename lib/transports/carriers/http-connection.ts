import type { IncomingMessage, ServerResponse } from "node:http";
import { type Deferred, deferred } from "../../base/index.js";
import { type Answer, drainBody } from "../request/answer.js";
import { UNAVAILABLE, UNKNOWN_ID } from "../request/refusal.js";
import { CarrierConnection } from "./carrier-connection.js";
import { type Flushable, flushAtEndOfTurn } from "./turn.js";

/** POSTs of one connection that wait for those before them. Stock clients send one at a time. */
const MAX_WAITING_POSTS = 64;

/** Parts of a body after which the event loop gets its turn: a client can send one byte at a time. */
const TURN_PARTS = 512;

const TAKEN: Answer = { status: 200 };

/** A connection whose client sends by POST: Server-Sent Events and long polling. */
export abstract class HttpConnection extends CarrierConnection implements Flushable {
	readonly isReconnectable = false;
	/** What was sent and not written yet. */
	protected chunks: Buffer[] = [];
	protected gathered = 0;
	#isFlushDue = false;
	#lastPost: Promise<unknown> | undefined;
	#posts = 0;
	#room: Deferred<void> | undefined;

	/** Writes what was gathered, where there is something to write it to. */
	protected abstract write(): void;

	send(bytes: Buffer): void {
		if (this.isEnded || bytes.length === 0) return;
		if (this.bufferedBytes > this.maxBufferedBytes) {
			this.dropSlowClient();
			return;
		}
		this.chunks.push(bytes);
		this.gathered += bytes.length;
		if (this.#isFlushDue) return;
		this.#isFlushDue = true;
		flushAtEndOfTurn(this);
	}

	/** The end of the turn has come. */
	flush(): void {
		this.#isFlushDue = false;
		this.write();
	}

	/** Takes the body of a POST, behind those that came before; read only as fast as the owner takes it. */
	async post(req: IncomingMessage): Promise<Answer> {
		if (this.isEnded) return UNKNOWN_ID;
		if (this.#posts >= MAX_WAITING_POSTS) return UNAVAILABLE;
		this.#posts++;
		const turn = this.#lastPost ? this.#lastPost.then(() => this.#read(req)) : this.#read(req);
		this.#lastPost = turn;
		try {
			return await turn;
		} finally {
			this.#posts--;
			if (this.#posts === 0) this.#lastPost = undefined;
		}
	}

	override resume(): void {
		super.resume();
		if (this.takesMore) this.#makeRoom();
	}

	protected override end(): void {
		super.end();
		this.#makeRoom();
	}

	protected drop(): void {
		this.chunks = [];
		this.gathered = 0;
	}

	/** Takes out what waits to be written. */
	protected takeChunks(): Buffer {
		const { chunks } = this;
		this.chunks = [];
		this.gathered = 0;
		return chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks);
	}

	/** Never rejects: a client that goes in the middle of its body has sent what it has sent. */
	#read(req: IncomingMessage): Promise<Answer> {
		const { promise, resolve } = deferred<Answer>();
		let isTaken = false;
		let parts = 0;
		const finish = (): void => {
			req.off("data", take).off("end", finish).off("close", finish);
			drainBody(req);
			// What ended it may have been in this body, at once or a little later (a Close, a handshake that is refused):
			// stock clients complain about anything but 200, and tell of that in place of the reason.
			resolve(this.isEnded && !isTaken ? UNKNOWN_ID : TAKEN);
		};
		const take = (chunk: Buffer): void => {
			isTaken ||= !this.isEnded;
			this.received(chunk);
			if (this.isEnded) finish();
			else if (!this.takesMore) void this.#holdBack(req);
			else if (++parts % TURN_PARTS === 0) letTurn(req);
		};
		if (this.isEnded || req.destroyed || req.readableEnded) finish();
		else req.on("data", take).once("end", finish).once("close", finish);
		return promise;
	}

	async #holdBack(req: IncomingMessage): Promise<void> {
		req.pause();
		this.#room ??= deferred();
		await this.#room.promise;
		req.resume();
	}

	#makeRoom(): void {
		this.#room?.resolve();
		this.#room = undefined;
	}
}

/** Reads no more in this turn of the event loop. */
function letTurn(req: IncomingMessage): void {
	req.pause();
	setImmediate(() => req.resume());
}

/** Calls `gone` once when the client has left a request before it was answered in full. */
export function whenAbandoned(res: ServerResponse, gone: () => void): void {
	res.once("close", () => {
		if (!res.writableFinished) gone();
	});
}
