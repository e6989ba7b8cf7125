import { randomBytes } from "node:crypto";
import { httpRequest } from "../frames/http-requests.js";
import { handshakeFrame, jsonFrame, messagePackFrame } from "../frames/hub-frames.js";
import { fuzzHello, LinkNumbers, linkSegments } from "../frames/link-segments.js";
import { mutatedBytes } from "../frames/mutate-bytes.js";
import type { Random } from "../frames/random.js";
import { LINKS_PATH, type Supply, type Target, type Worker } from "../report.js";
import { HttpWorker, Tokens } from "./http-worker.js";
import { LinkWorker } from "./link-worker.js";
import { PostWorker } from "./post-worker.js";
import { TokenStock } from "./token-stock.js";
import { clientFrame, WebSocketWorker } from "./web-socket-worker.js";

const TEXT = 0x81;
const BINARY = 0x82;
const JSON_HANDSHAKE = Buffer.from('{"protocol":"json","version":1}\u001e');
const STATEFUL_HANDSHAKE = Buffer.from('{"protocol":"json","version":2}\u001e');
/** The first message of a socket that takes up a connection: all that it sent has arrived. */
const RESUMPTION = Buffer.from('{"type":9,"sequenceId":1}\u001e');
const MESSAGE_PACK_HANDSHAKE = Buffer.from('{"protocol":"messagepack","version":1}\u001e');

const LINK_HANDSHAKE = Buffer.from('{"protocol":"trunkline-link","version":1}\u001e');

/** Each connection is a proxy of its own, whose segments are numbered from 1. */
function linkWorker(target: Target, supply: Supply): Worker {
	let numbers = new LinkNumbers();
	const door = {
		handshake: () => {
			numbers = new LinkNumbers();
			return Buffer.concat([asText(LINK_HANDSHAKE), asBinary(fuzzHello("proxy", randomBytes(16)))]);
		},
		wrap: (bytes: Buffer) => asBinary(numbers.bytesOf(bytes)),
	};
	return new WebSocketWorker({ ...target, path: LINKS_PATH }, door, supply);
}

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

function alternately(count: number, make: (isOdd: boolean) => Worker): Worker[] {
	return Array.from({ length: count }, (_, index) => make(index % 2 === 1));
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
		name: "link-app",
		frame: linkSegments("proxy"),
		workers: (target, supply, count) => repeated(count, () => linkWorker(target, supply)),
	},
	{
		name: "link-proxy",
		frame: linkSegments("app"),
		workers: (target, supply) => [new LinkWorker(target, supply)],
	},
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
		frame: jsonFrame,
		workers: (target, supply, count) =>
			alternately(count, (isOdd) => {
				const transport = isOdd ? "ServerSentEvents" : "LongPolling";
				return new PostWorker(target, { handshake: JSON_HANDSHAKE, transport }, supply);
			}),
	},
	{
		name: "post-binary",
		frame: messagePackFrame,
		workers: (target, supply, count) => {
			const settings = { handshake: MESSAGE_PACK_HANDSHAKE, transport: "LongPolling" } as const;
			return repeated(count, () => new PostWorker(target, settings, supply));
		},
	},
	{
		name: "stateful",
		frame: jsonFrame,
		workers: (target, supply, count) => {
			const stateful = { tokens: new TokenStock(target), resumption: asText(RESUMPTION) };
			const door = { handshake: asText(STATEFUL_HANDSHAKE), stateful, wrap: asBinary };
			return repeated(count, () => new WebSocketWorker(target, door, supply));
		},
	},
];
