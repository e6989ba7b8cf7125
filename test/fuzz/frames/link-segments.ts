import {
	type Frame,
	FrameWriter,
	type Hello,
	type LinkRole,
	PING_SEGMENT,
	writeAckSegment,
	writeByeSegment,
	writeDataSegment,
	writeHelloSegment,
} from "../../../lib/forwarding/wire/index.js";
import { MessageType, writeMessagePack } from "../../../lib/protocols/index.js";
import { mutatedBytes } from "./mutate-bytes.js";
import type { Random } from "./random.js";

const WINDOW = 8 * 1024 * 1024;
/** Clients of a session are numbered from 1; more than the fuzzed proxy has. */
const CLIENTS = [1, 2, 3, 4, 300] as const;
const IDS = ["f1", "f2", "c1", "c2", "witness"] as const;

/** What the first byte of a link's fuzz frame says of the others: whole segments, or frames for the next DATA. */
export const LinkContent = { Segments: 0, Frames: 1 } as const;

/** A HELLO of either end for a session of its own. */
export function fuzzHello(role: LinkRole, id: Buffer): Buffer {
	return writeHelloSegment(helloOf(role, id));
}

/** Numbers the DATA segments of one link after another: a gap would keep all that is behind it from being read. */
export class LinkNumbers {
	#next = 1;

	/** The bytes to send for a fuzz frame. */
	bytesOf(content: Buffer): Buffer {
		const bytes = content.subarray(1);
		return content[0] === LinkContent.Frames ? dataOf(bytes, this.#next++) : bytes;
	}
}

/** Segments, or frames of one, made of what an end says and changed; most stand in their order and reach far. */
export function linkSegments(role: LinkRole): (random: Random) => Buffer {
	const frames = FRAMES[role].map(bytesOf) as [Buffer, ...Buffer[]];
	const segments = segmentsOf(role, frames);
	return (random) => {
		const isFrames = !random.once(4);
		const samples = isFrames ? frames : segments;
		const some = Buffer.concat(Array.from({ length: random.below(3) + 1 }, () => random.pick(samples)));
		const bytes = random.once(5) ? some : mutatedBytes(some, random.pick(samples), random);
		return Buffer.concat([Buffer.of(isFrames ? LinkContent.Frames : LinkContent.Segments), bytes]);
	};
}

function helloOf(role: LinkRole, id: Buffer): Hello {
	return {
		...{ versions: [1, 1], role, instance: id, session: role === "app" ? Buffer.alloc(16) : id },
		...{ link: 0, incarnation: 1, delivered: 0, window: WINDOW },
		features: role === "app" ? ["reopen", "shared:Chat"] : ["new"],
	};
}

function dataOf(frames: Buffer, seq: number): Buffer {
	return writeDataSegment({ seq, acks: { links: [], delivered: 0, window: WINDOW }, frames });
}

function segmentsOf(role: LinkRole, frames: readonly Buffer[]): [Buffer, ...Buffer[]] {
	const id = Buffer.alloc(16, 9);
	const ack = { link: 0, incarnation: 1, received: 1 };
	return [
		PING_SEGMENT,
		...frames.slice(0, 4).map((each, at) => dataOf(each, at + 1)),
		dataOf(Buffer.concat(frames.slice(0, 3)), 2),
		writeAckSegment({ links: [ack], delivered: 1, window: WINDOW }),
		writeAckSegment({ links: [], delivered: 0, window: 0 }),
		writeHelloSegment(helloOf(role, id)),
		writeByeSegment(3, "over"),
		Buffer.of(3, 0x2a, 1, 2),
	];
}

function bytesOf(frame: Frame): Buffer {
	const writer = new FrameWriter();
	writer.write(frame);
	return Buffer.concat(writer.take());
}

const NOTHING = { streamIds: undefined, headers: undefined } as const;
const CALL = { type: MessageType.Invocation, encoding: "json", invocationId: "1", ...NOTHING } as const;

function opening(client: number, connectionId: string): Frame {
	const request = {
		...{ url: "/app?room=1", headers: { "X-Kept": ["yes"] }, ip: "203.0.113.7", ips: ["203.0.113.7"] },
		...{ remotePort: 1, localAddress: "::1", localPort: 2, secure: false, host: "example.com" },
	};
	const user = { id: "ada", claims: { role: "admin" } };
	const context = writeMessagePack({ connectionId, protocol: "json", ids: "u1.", user, request });
	return { type: "open", client, recovered: false, migrated: false, context };
}

const FRAMES: Record<LinkRole, readonly Frame[]> = {
	proxy: [
		...IDS.map((id, at) => opening(CLIENTS[at] ?? 1, id)),
		...CLIENTS.flatMap((client): Frame[] => [
			{ type: "message", client, message: { ...CALL, target: "echo", arguments: Buffer.from('["x"]') } },
			{
				...{ type: "message", client },
				message: {
					...CALL,
					encoding: "messagepack",
					target: "join",
					arguments: Buffer.from([0x91, 0xa1, 0x67]),
				},
			},
			{
				...{ type: "message", client },
				message: {
					...{ type: MessageType.StreamInvocation, encoding: "json", invocationId: "2", target: "count" },
					...{ arguments: Buffer.from("[5]"), streamIds: undefined, headers: { a: "b" } },
				},
			},
			{
				...{ type: "message", client },
				message: {
					...CALL,
					invocationId: "3",
					target: "sum",
					arguments: Buffer.from("[]"),
					streamIds: ["s"],
				},
			},
			{
				...{ type: "message", client },
				message: {
					...{ type: MessageType.StreamItem, encoding: "json", invocationId: "s", headers: undefined },
					item: Buffer.from("1"),
				},
			},
			{
				...{ type: "message", client },
				message: {
					...{ type: MessageType.Completion, encoding: "json", invocationId: "s", headers: undefined },
					...{ error: undefined, result: Buffer.from("true") },
				},
			},
			{
				...{ type: "message", client },
				message: {
					...{ type: MessageType.CancelInvocation, encoding: "json", invocationId: "2", headers: undefined },
				},
			},
			{ type: "close", client, reason: "closed", text: "" },
			{ type: "close", client, reason: "migrated", text: "" },
			{ type: "pause", client },
			{ type: "resume", client },
			{ type: "resync", client, key: "Chat" },
			{ type: "itemUp", client, name: "room", value: Buffer.from([7]) },
			{ type: "itemUp", client, name: "room", value: undefined },
		]),
		{ type: "drained" },
	],
	app: [
		...CLIENTS.flatMap((client): Frame[] => [
			{
				...{ type: "record", client, messageType: MessageType.Completion, invocationId: "1" },
				state: undefined,
				record: Buffer.from('{"type":3,"invocationId":"1","result":1}\u001e'),
			},
			{
				...{ type: "record", client, messageType: MessageType.Invocation, invocationId: undefined },
				state: undefined,
				record: Buffer.from('{"type":1,"target":"told","arguments":["x"]}\u001e'),
			},
			{
				...{ type: "record", client, messageType: MessageType.StreamItem, invocationId: "2" },
				state: { kind: "change", key: "Chat" },
				record: Buffer.from('{"type":2,"invocationId":"2","item":1}\u001e'),
			},
			{ type: "join", client, group: "room" },
			{ type: "leave", client, group: "room" },
			{ type: "hold", client },
			{ type: "go", client },
			{ type: "closed", client },
			{ type: "abort", client, allowReconnect: true, text: "away" },
			{
				...{ type: "retain", client, key: "Chat", target: "Request_VM", encoding: "json" },
				arguments: Buffer.from('["Chat"]'),
			},
			{ type: "forget", client, key: "Chat" },
			{ type: "itemDown", client, name: "room", value: Buffer.from([0xa1, 0x67]) },
			{ type: "itemDown", client, name: "room", value: undefined },
			{ type: "admitted", client },
		]),
		{ type: "drain", timeoutMs: 10 },
		{ type: "load", clients: 3, delayMs: 1 },
		...(
			[
				{ kind: "all", except: [2] },
				{ kind: "groups", groups: ["room"], except: [] },
				{ kind: "clients", clients: [1, 2, 300] },
			] as const
		).map(
			(selection): Frame => ({
				...{ type: "send", selection, state: undefined },
				records: [
					{ encoding: "json", record: Buffer.from('{"type":1,"target":"told","arguments":[]}\u001e') },
				],
			}),
		),
	],
};
