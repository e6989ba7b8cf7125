import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { type ServerOptions, WebSocketServer } from "ws";
import type { OpenedWebSocket } from "./web-socket.js";

const MAX_INT32 = 2_147_483_647;
/** What .NET's client writes per fragment: it sends the 4 KB segments of its pipe one by one, and an empty one last. */
const FRAGMENT_BYTES = 4_096;
/** Fragments that any message may have; each holds the whole chunk of up to 64 KB that it was read in. */
const LEAST_FRAGMENTS = 16;
/** No network cuts a frame into smaller pieces, but for a few. */
const CHUNK_BYTES = 512;
const LEAST_CHUNKS = 1_024;
/** ws's own bounds, for frames without a limit. */
const MOST_FRAGMENTS = 16_384;
const MOST_CHUNKS = 262_144;

/** Settings of {@link WebSocketUpgrades}. */
export interface UpgradeSettings {
	readonly maxFrameBytes: number;
	readonly closeTimeoutMs: number;
}

/** Completes WebSocket handshakes (RFC 6455 §4.2): no subprotocol, no extension. */
export class WebSocketUpgrades {
	readonly #server: WebSocketServer;

	constructor({ maxFrameBytes, closeTimeoutMs }: UpgradeSettings) {
		// ws's types do not know it: how long a client that has begun the closing handshake may leave its socket open.
		const closing: object = { closeTimeout: closeTimeoutMs };
		this.#server = new WebSocketServer({
			noServer: true,
			clientTracking: false,
			perMessageDeflate: false,
			...partBounds(maxFrameBytes),
			...closing,
			handleProtocols: () => false,
		});
	}

	/** Answers 101 and calls `opened`, or answers why not. */
	complete(upgrade: Upgrade, opened: (webSocket: OpenedWebSocket) => void): void {
		const { req, socket, head } = upgrade;
		this.#server.handleUpgrade(req, socket, head, (webSocket) => opened({ webSocket, socket }));
	}
}

/** What Node gives with the event `upgrade`. */
export interface Upgrade {
	readonly req: IncomingMessage;
	readonly socket: Duplex;
	readonly head: Buffer;
}

/** How many parts a message of at most `maxFrameBytes` may come in. */
function partBounds(
	maxFrameBytes: number,
): Pick<ServerOptions, "maxPayload" | "maxFragments" | "maxBufferedChunks"> {
	return {
		// ws takes 32 bits, and 0 for no limit.
		maxPayload: maxFrameBytes > MAX_INT32 ? 0 : maxFrameBytes,
		maxFragments: Math.min(MOST_FRAGMENTS, LEAST_FRAGMENTS + Math.ceil(maxFrameBytes / FRAGMENT_BYTES)),
		maxBufferedChunks: Math.min(MOST_CHUNKS, LEAST_CHUNKS + Math.ceil(maxFrameBytes / CHUNK_BYTES)),
	};
}
