import type { OutgoingHttpHeaders, ServerResponse } from "node:http";
import type { Timer } from "../../base/index.js";
import type { PayloadFormat } from "../connection.js";
import { type Answer, NO_CACHE, writeAnswer } from "../request/answer.js";
import { cutResponse } from "../request/pipelining.js";
import type { CarrierParts } from "./carrier-connection.js";
import { HttpConnection, whenAbandoned } from "./http-connection.js";

const FORMATS: readonly PayloadFormat[] = ["Text", "Binary"];

const OCTETS = "application/octet-stream";
/** Tells a client to poll no more; a 204 with a content type, as measured on ASP.NET Core 10. */
const NO_MORE: Answer = { status: 204, contentType: "text/plain" };

/** A poll that waits for something to send. */
interface Poll {
	readonly res: ServerResponse;
	readonly headers: OutgoingHttpHeaders;
	readonly timer: Timer;
}

/**
 * A connection whose client asks again and again for what there is. Between two polls it lives on for
 * `disconnectTimeoutMs`. Ended by us it answers what was sent, then 204, and is over.
 */
export class LongPollingConnection extends HttpConnection {
	readonly transport = "LongPolling";
	readonly formats: readonly PayloadFormat[] = FORMATS;
	readonly hasInherentKeepAlive = true;
	#poll: Poll | undefined;
	/** Answers that the operating system has not taken yet. */
	#unread: Set<ServerResponse> | undefined;
	#isClosing = false;

	/** The first poll is answered at once: its client sends nothing before. */
	static open(parts: CarrierParts, res: ServerResponse, headers: OutgoingHttpHeaders): LongPollingConnection {
		const connection = new LongPollingConnection(parts);
		connection.#answer(res, { status: 200, contentType: OCTETS, headers });
		connection.#awaitPoll();
		return connection;
	}

	get bufferedBytes(): number {
		let bytes = this.gathered;
		for (const res of this.#unread ?? []) bytes += res.writableLength;
		return bytes;
	}

	/** Takes a poll. One that waits already is let go: its client has given it up. */
	poll(res: ServerResponse, headers: OutgoingHttpHeaders): void {
		this.#letGo();
		if (this.isGone) {
			this.#answer(res, { ...NO_MORE, headers });
			return;
		}
		this.timer?.cancel();
		this.timer = undefined;
		if (this.gathered > 0) this.#deliver(res, headers);
		else if (this.#isClosing) this.#finish(res, headers);
		else this.#wait(res, headers);
	}

	/** The client ends it (DELETE). */
	leave(): void {
		this.timer?.cancel();
		this.timer = undefined;
		this.gone();
		this.#letGo();
	}

	close(): void {
		if (this.isEnded) return;
		this.write();
		const { chunks, gathered } = this;
		this.end();
		this.#isClosing = true;
		if (this.isGone) {
			this.reportIfGone();
			return;
		}
		// What was sent before the end is still the client's to fetch.
		this.chunks = chunks;
		this.gathered = gathered;
		const poll = this.#take();
		if (poll) this.#finish(poll.res, poll.headers);
		else this.cutLater();
	}

	protected write(): void {
		if (this.gathered === 0) return;
		const poll = this.#take();
		if (poll) this.#deliver(poll.res, poll.headers);
	}

	protected cut(): void {
		this.#letGo();
		queueMicrotask(() => this.reportClosed());
	}

	/** What its client has not read of earlier answers is not waited for: it would hold memory for ever. */
	protected override reportClosed(): void {
		super.reportClosed();
		for (const res of this.#unread ?? []) cutResponse(res);
		this.#unread = undefined;
	}

	#wait(res: ServerResponse, headers: OutgoingHttpHeaders): void {
		if (res.destroyed) {
			this.#awaitPoll();
			return;
		}
		const timer = this.settings.clock.schedule(this.settings.longPollTimeoutMs, () => {
			this.#take();
			this.#answer(res, { status: 200, headers });
			this.#awaitPoll();
		});
		this.#poll = { res, headers, timer };
		whenAbandoned(res, () => {
			if (this.#poll?.res !== res) return;
			this.#take();
			this.#awaitPoll();
		});
	}

	/** The poll that waits, which is the caller's to answer. */
	#take(): Poll | undefined {
		const poll = this.#poll;
		poll?.timer.cancel();
		this.#poll = undefined;
		return poll;
	}

	#letGo(): void {
		const poll = this.#take();
		if (poll) this.#answer(poll.res, { ...NO_MORE, headers: poll.headers });
	}

	#deliver(res: ServerResponse, headers: OutgoingHttpHeaders): void {
		const body = this.takeChunks();
		this.#answer(res, { status: 200, contentType: OCTETS, headers, body });
		if (res.writableLength > 0) this.#awaitReader(res);
		this.#awaitPoll();
		this.drained();
	}

	/** An answer counts as waiting until its client has taken it, or gone: else a poll that is not read would hide it. */
	#awaitReader(res: ServerResponse): void {
		this.#unread ??= new Set();
		this.#unread.add(res);
		res.once("close", () => {
			if (this.#unread?.delete(res)) this.drained();
		});
	}

	/** The last answer: the client asks no more. */
	#finish(res: ServerResponse, headers: OutgoingHttpHeaders): void {
		this.#answer(res, { ...NO_MORE, headers });
		queueMicrotask(() => this.reportClosed());
	}

	/** No poll is here: the client has a while to make one. */
	#awaitPoll(): void {
		if (this.isClosed) return;
		this.timer?.cancel();
		const { clock, closeTimeoutMs, disconnectTimeoutMs } = this.settings;
		this.timer = clock.schedule(this.#isClosing ? closeTimeoutMs : disconnectTimeoutMs, () => this.gone());
	}

	#answer(res: ServerResponse, answer: Answer): void {
		writeAnswer(res, { ...answer, headers: { ...NO_CACHE, ...answer.headers } });
	}
}
