import { httpRequest } from "../frames/http-requests.js";
import { handshakeFrame, jsonFrame, messagePackFrame } from "../frames/hub-frames.js";
import { mutatedBytes } from "../frames/mutate-bytes.js";
import type { Random } from "../frames/random.js";
import type { Supply, Target, Worker } from "../report.js";
import { HttpWorker, Tokens } from "./http-worker.js";
import { PostWorker } from "./post-worker.js";
import { clientFrame, WebSocketWorker } from "./web-socket-worker.js";

const TEXT = 0x81;
const BINARY = 0x82;
const JSON_HANDSHAKE = Buffer.from('{"protocol":"json","version":1}\u001e');
const MESSAGE_PACK_HANDSHAKE = Buffer.from('{"protocol":"messagepack","version":1}\u001e');

/** A way into the hub. */
export interface Door {
	readonly name: string;
	/** A frame that follows from its random numbers. */
	frame(random: Random): Buffer;
	/** Makes what sends frames; called for each of some that work side by side. */
	workers(target: Target, supply: Supply, count: number): Worker[];
}

function repeated(count: number, make: () => Worker): Worker[] {
	return Array.from({ length: count }, make);
}

function asText(bytes: Buffer): Buffer {
	return clientFrame(bytes, TEXT);
}

function asBinary(bytes: Buffer): Buffer {
	return clientFrame(bytes, BINARY);
}

/** WebSocket frames that are broken themselves: headers, lengths, masks, kinds. */
function brokenFrame(random: Random): Buffer {
	return mutatedBytes(asText(jsonFrame(random)), asBinary(messagePackFrame(random)), random);
}

/** Every way into the hub. */
export const DOORS: readonly Door[] = [
	{
		name: "json",
		frame: jsonFrame,
		workers: (target, supply, count) => {
			// Not every frame is UTF-8: those that are not would end at the WebSocket, and never reach the hub.
			const door = { handshake: asText(JSON_HANDSHAKE), wrap: asBinary };
			return repeated(count, () => new WebSocketWorker(target, door, supply));
		},
	},
	{
		name: "messagepack",
		frame: messagePackFrame,
		workers: (target, supply, count) => {
			const door = { handshake: asText(MESSAGE_PACK_HANDSHAKE), wrap: asBinary };
			return repeated(count, () => new WebSocketWorker(target, door, supply));
		},
	},
	{
		name: "handshake",
		frame: handshakeFrame,
		workers: (target, supply, count) => {
			const door = { handshake: undefined, wrap: asBinary, batch: 2 };
			return repeated(count, () => new WebSocketWorker(target, door, supply));
		},
	},
	{
		name: "websocket",
		frame: brokenFrame,
		workers: (target, supply, count) => {
			const door = { handshake: asText(JSON_HANDSHAKE), wrap: (bytes: Buffer) => bytes };
			return repeated(count, () => new WebSocketWorker(target, door, supply));
		},
	},
	{
		name: "http",
		frame: httpRequest,
		workers: (target, supply, count) => {
			const tokens = new Tokens();
			return repeated(count, () => new HttpWorker(target, tokens, supply));
		},
	},
	{
		name: "post",
		frame: (random) => (random.once(2) ? jsonFrame(random) : messagePackFrame(random)),
		workers: (target, supply, count) => {
			let made = 0;
			const handshakeOf = (): Buffer => (made++ % 2 === 0 ? JSON_HANDSHAKE : MESSAGE_PACK_HANDSHAKE);
			return repeated(count, () => new PostWorker(target, handshakeOf(), supply));
		},
	},
];
