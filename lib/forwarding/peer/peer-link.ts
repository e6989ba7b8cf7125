import type { Clock } from "../../base/index.js";
import type { TrunklineError } from "../../errors/index.js";
import type { Connection, ConnectionListener } from "../../hub/index.js";
import { LinkSegments } from "../link/link-segments.js";
import { LINK_PING_MS, LINK_SILENCE_MS, UNKNOWN_SESSION } from "../link/link-terms.js";
import type { LinkPort } from "../session/index.js";
import { ByeCode, type Hello } from "../wire/index.js";
import type { ProxySession } from "./proxy-session.js";

/** What a link at the app server needs of those who keep it. */
export interface PeerLinkHost {
	readonly clock: Clock;
	/** What this end says first. */
	hello(link: PeerLink): Hello;
	/** The session that the proxy names. @throws TrunklineError where it cannot be had */
	sessionFor(link: PeerLink, hello: Hello): ProxySession | undefined;
	/** The link is gone. */
	closed(link: PeerLink, error: TrunklineError | undefined): void;
}

/** An app server's end of one native link: greeting → joined (in a session) → closed. */
export class PeerLink implements ConnectionListener {
	readonly connection: Connection;
	/** What the proxy proved itself with, where it did. */
	readonly proof: string | undefined;
	readonly #host: PeerLinkHost;
	readonly #segments: LinkSegments;
	#session: ProxySession | undefined;
	#port: LinkPort | undefined;
	#heardAt: number;
	#sentAt: number;
	#error: TrunklineError | undefined;
	#isEnding = false;

	/** `rest` is what came behind the handshake. */
	constructor(connection: Connection, proof: string | undefined, host: PeerLinkHost) {
		this.connection = connection;
		this.proof = proof;
		this.#host = host;
		this.#heardAt = host.clock.elapsed();
		this.#sentAt = this.#heardAt;
		this.#segments = new LinkSegments((bytes) => this.#write(bytes), {
			hello: (hello) => this.#greeted(hello),
			data: (data) =>
				this.#received((session, { link, incarnation }) => session.receiveData(link, incarnation, data)),
			acks: (acks) =>
				this.#received((session, { link, incarnation }) => session.receiveAcks(link, incarnation, acks)),
			over: (code, error) => this.#over(code, error),
		});
	}

	/** The session that the link has joined. */
	get session(): ProxySession | undefined {
		return this.#session;
	}

	get port(): LinkPort | undefined {
		return this.#port;
	}

	/** Whether this end has ended it in order. */
	get isEnding(): boolean {
		return this.#isEnding;
	}

	/** Speaks first, and takes what has come already. */
	begin(rest: Buffer): void {
		this.#segments.hello(this.#host.hello(this));
		if (rest.length > 0) this.data(rest);
	}

	/** Called by the connection. */
	data(chunk: Buffer): void {
		this.#heardAt = this.#host.clock.elapsed();
		this.#segments.receive(chunk);
	}

	/** Called by the connection. */
	closed(): void {
		const { session, port } = this;
		this.#session = undefined;
		if (session && port) session.stream.session.removeLink(port.link, port.incarnation);
		session?.linkLost();
		this.#host.closed(this, this.#error);
	}

	/** Called by the heartbeat. */
	tick(now: number): void {
		if (now - this.#heardAt >= LINK_SILENCE_MS) this.connection.abort();
		else if (now - this.#sentAt >= LINK_PING_MS) this.#segments.ping();
	}

	/** Ends the link in order. */
	end(code: number, text: string): void {
		this.#isEnding = true;
		this.#segments.bye(code, text);
		this.connection.close();
	}

	/** Ends a link that broke the protocol, or stalls. */
	refuse(error: TrunklineError): void {
		this.#error ??= error;
		this.#segments.bye(ByeCode.Violation, error.code);
		this.connection.close();
	}

	#write(bytes: Buffer): void {
		this.#sentAt = this.#host.clock.elapsed();
		this.connection.send(bytes, "Binary");
	}

	#greeted(hello: Hello): void {
		const session = this.#host.sessionFor(this, hello);
		if (!session) {
			this.end(ByeCode.SessionOver, UNKNOWN_SESSION);
			return;
		}
		const { link, incarnation, delivered, window } = hello;
		const port: LinkPort = {
			...{ link, incarnation },
			send: (data) => this.#segments.send(data),
			sendAck: (acks) => this.#segments.sendAck(acks),
		};
		this.#session = session;
		this.#port = port;
		const fault = session.stream.session.addLink(port, { delivered, window });
		if (fault) throw fault;
	}

	#received(take: (session: ProxySession["stream"]["session"], port: LinkPort) => void): void {
		if (this.#session && this.#port) take(this.#session.stream.session, this.#port);
	}

	#over(code: number, error: TrunklineError): void {
		this.#error = error;
		const { session, port } = this;
		if (session && code === ByeCode.SessionOver) session.stream.end("closed");
		else if (session && port && error.code === "ERR_LINK_PROTOCOL")
			session.stream.session.rejectLink(port.link, port.incarnation, error.message);
		this.connection.close();
	}
}
