import { hash } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { type FrameLimits, FrameReader } from "../frames/frame-reader.js";
import type { Answer } from "../request/answer.js";
import { Refusal } from "../request/refusal.js";
import type { OpenedWebSocket } from "./web-socket.js";

/** What .NET's client writes per fragment: it sends the 4 KB segments of its pipe one by one, and an empty one last. */
const FRAGMENT_BYTES = 4_096;
/** Fragments that any message may have. */
const LEAST_FRAGMENTS = 16;
/** No network cuts a frame into smaller pieces, but for a few. */
const PIECE_BYTES = 512;
const LEAST_PIECES = 1_024;
/** Where frames have no limit. */
const MOST_FRAGMENTS = 16_384;
const MOST_PIECES = 262_144;

/** What a key is hashed with (RFC 6455 §1.3). */
const HANDSHAKE_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/** 16 bytes in base64. */
const KEY = /^[+/0-9A-Za-z]{21}[AQgw]==$/;
const UPGRADE_OPTION = /(?:^|[,\s])upgrade(?:$|[,\s])/i;

const NO_GET: Answer = { status: 405, headers: { Allow: "GET" }, body: "A WebSocket is opened by GET." };
const NO_UPGRADE: Answer = { status: 400, body: "Missing or invalid Upgrade or Connection header" };
const NO_KEY: Answer = { status: 400, body: "Missing or invalid Sec-WebSocket-Key header" };
const NO_VERSION: Answer = {
	status: 426,
	headers: { Upgrade: "websocket", Connection: "Upgrade, close", "Sec-WebSocket-Version": "13" },
	body: "Missing or invalid Sec-WebSocket-Version header",
};

/** What Node gives with the event `upgrade`. */
export interface Upgrade {
	readonly req: IncomingMessage;
	readonly socket: Duplex;
	readonly head: Buffer;
}

/** Completes WebSocket handshakes (RFC 6455 §4.2): no subprotocol, no extension. */
export class WebSocketUpgrades {
	readonly #reader: FrameReader;

	constructor({ maxFrameBytes }: { readonly maxFrameBytes: number }) {
		this.#reader = new FrameReader(limitsOf(maxFrameBytes));
	}

	/** @throws Refusal of a request that is no handshake: 405, 400, or 426 with the version that is spoken here */
	check({ method, headers }: IncomingMessage): void {
		if (method !== "GET") throw new Refusal(NO_GET);
		if (!UPGRADE_OPTION.test(headers.connection ?? "")) throw new Refusal(NO_UPGRADE);
		if (!KEY.test(headers["sec-websocket-key"] ?? "")) throw new Refusal(NO_KEY);
		if (headers["sec-websocket-version"] !== "13") throw new Refusal(NO_VERSION);
	}

	/** Answers 101 to a request that was checked. `undefined`: its socket is not to be used any more. */
	complete({ req, socket, head }: Upgrade): OpenedWebSocket | undefined {
		if (!socket.readable || !socket.writable) {
			socket.destroy();
			return undefined;
		}
		if (socket instanceof Socket) {
			socket.setTimeout(0);
			socket.setNoDelay(true);
		}
		const accepted = hash("sha1", `${req.headers["sec-websocket-key"]}${HANDSHAKE_GUID}`, "base64");
		socket.write(
			`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accepted}\r\n\r\n`,
			"latin1",
		);
		if (head.length > 0) socket.unshift(head);
		return { socket, reader: this.#reader };
	}
}

/** How many parts a message of at most `maxFrameBytes` may come in. */
function limitsOf(maxFrameBytes: number): FrameLimits {
	return {
		maxFrameBytes,
		maxFragments: Math.min(MOST_FRAGMENTS, LEAST_FRAGMENTS + Math.ceil(maxFrameBytes / FRAGMENT_BYTES)),
		maxPieces: Math.min(MOST_PIECES, LEAST_PIECES + Math.ceil(maxFrameBytes / PIECE_BYTES)),
	};
}
