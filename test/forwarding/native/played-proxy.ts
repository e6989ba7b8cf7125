import type { ConnectionOptions } from "node:tls";
import { WebSocket } from "ws";
import { LINK_HEADER } from "../../../lib/forwarding/index.js";
import { type Segment, SegmentReader } from "../../../lib/forwarding/wire/index.js";
import type { Told } from "../recorded/recording.js";
import type { Watch } from "../support/watch.js";

/** Handshake of the link as SignalR's clients write it. */
const HANDSHAKE = '{"protocol":"trunkline-link","version":1}\u001e';

/** How a link begins. */
export interface PlayedOptions {
	readonly proof?: string | undefined;
	readonly handshake?: string;
	/** What the socket's TLS is made with. */
	readonly tls?: ConnectionOptions;
}

/** A proxy's end of one link, in a test's hands: it says what it is told to. */
export class PlayedProxy {
	/** What the app server's end has said. */
	readonly told: Pick<Told, "from" | "segment">[] = [];
	/** The answer to the handshake; undefined until it has come. */
	handshake: string | undefined;
	isClosed = false;
	readonly #socket: WebSocket;
	readonly #reader = new SegmentReader();
	readonly #watch: Watch;

	private constructor(socket: WebSocket, watch: Watch) {
		this.#socket = socket;
		this.#watch = watch;
		socket.on("message", (data: Buffer) => this.#take(data));
		socket.on("error", () => {});
		socket.on("close", () => {
			this.isClosed = true;
			watch.changed();
		});
	}

	/** Resolves when the handshake was answered, or refused. */
	static async open(
		url: string,
		watch: Watch,
		{ proof, handshake = HANDSHAKE, tls }: PlayedOptions = {},
	): Promise<PlayedProxy> {
		const headers: Record<string, string> = proof === undefined ? {} : { [LINK_HEADER]: proof };
		const socket = new WebSocket(`${url.replace("http", "ws")}/dotnetify`, {
			...tls,
			...{ headers, perMessageDeflate: false },
		});
		const played = new PlayedProxy(socket, watch);
		socket.on("open", () => socket.send(handshake));
		await watch.until(() => played.handshake !== undefined || played.isClosed);
		return played;
	}

	/** DATA segments that have come. */
	get dataCount(): number {
		return this.told.filter(({ segment }) => segment.kind === "data").length;
	}

	/** The last of our segments that was handed on over there, as acks say. */
	get delivered(): number {
		const acked = this.told.map(({ segment }) => (segment.kind === "ack" ? segment.acks.delivered : 0));
		return Math.max(0, ...acked);
	}

	/** The last BYE. */
	get bye(): (Segment & { kind: "bye" }) | undefined {
		return this.told.map(({ segment }) => segment).findLast((segment) => segment.kind === "bye");
	}

	send(bytes: Buffer): void {
		this.#socket.send(bytes);
	}

	close(): void {
		this.#socket.terminate();
	}

	#take(data: Buffer): void {
		let rest = data;
		if (this.handshake === undefined) {
			const end = data.indexOf(0x1e) + 1;
			this.handshake = data.toString("utf8", 0, end - 1);
			rest = data.subarray(end);
		}
		this.#reader.push(rest);
		for (let segment = this.#reader.next(); segment; segment = this.#reader.next())
			this.told.push({ from: "app", segment });
		this.#watch.changed();
	}
}
