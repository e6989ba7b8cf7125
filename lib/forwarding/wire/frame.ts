import type { ArgumentEncoding, RawMessage } from "../../protocols/index.js";
import type { LinkRole } from "./hello.js";
import type { ClientSelection } from "./selection.js";

/** A client comes to the app server. */
export interface OpenFrame {
	readonly type: "open";
	readonly client: number;
	/** It was open at an instance that is no more. */
	readonly recovered: boolean;
	/** That instance handed it over in order: nothing that it had begun is lost. */
	readonly migrated: boolean;
	/** Who it is: one MessagePack value of at most 32 KiB. */
	readonly context: Buffer;
}

/** Why a client left; on the wire the place in this list. */
export const CLOSE_REASONS = ["closed", "lost", "migrated"] as const;
export type CloseReason = (typeof CLOSE_REASONS)[number];

/** A client left. */
export interface CloseFrame {
	readonly type: "close";
	readonly client: number;
	readonly reason: CloseReason;
	/** The error with which it ended; empty where there was none. */
	readonly text: string;
}

/** The answer to DRAIN: behind it no client is opened in the session. */
export interface DrainedFrame {
	readonly type: "drained";
}

/** A client's message, its values as the client wrote them. */
export interface MessageFrame {
	readonly type: "message";
	readonly client: number;
	readonly message: RawMessage;
}

/** Frames that say no more than whom they are about. */
export interface ClientFrame {
	readonly type: "pause" | "resume" | "hold" | "go" | "closed" | "admitted";
	readonly client: number;
}

/** The proxy left changes of a state out for a slow client: it is to be sent as a whole. */
export interface ResyncFrame {
	readonly type: "resync";
	readonly client: number;
	/** Names the state: of a view model its id. */
	readonly key: string;
}

/** What a message is that may be left out for a slow client; on the wire the place in this list. */
export const STATE_KINDS = ["state", "whole", "change"] as const;

/** That a message is about a state, which the key names; see the hub's `Delivery`. */
export interface StateMark {
	readonly kind: (typeof STATE_KINDS)[number];
	readonly key: string;
}

/** A client is in a group from now on, or no longer. */
export interface GroupFrame {
	readonly type: "join" | "leave";
	readonly client: number;
	readonly group: string;
}

/** A hub message as one protocol frames it. */
export interface EncodedRecord {
	readonly encoding: ArgumentEncoding;
	readonly record: Buffer;
}

/** One hub message for many clients. */
export interface SendFrame {
	readonly type: "send";
	readonly selection: ClientSelection;
	/** The message in each encoding that the clients need, each once. */
	readonly records: readonly EncodedRecord[];
	/** Undefined for an event. */
	readonly state: StateMark | undefined;
}

/** The app server ends a client's connection. */
export interface AbortFrame {
	readonly type: "abort";
	readonly client: number;
	readonly allowReconnect: boolean;
	/** The error of the Close message; undefined where it has none. */
	readonly text: string | undefined;
}

/** A call that is to be made again where the app server forgets it. */
export interface RetainFrame {
	readonly type: "retain";
	readonly client: number;
	/** A later call with the same key takes its place. */
	readonly key: string;
	readonly target: string;
	readonly encoding: ArgumentEncoding;
	/** The array of arguments. */
	readonly arguments: Buffer;
}

/** What was retained under a key is forgotten. */
export interface ForgetFrame {
	readonly type: "forget";
	readonly client: number;
	readonly key: string;
}

/** The app server stops: its clients are to be taken elsewhere within this time. */
export interface DrainFrame {
	readonly type: "drain";
	readonly timeoutMs: number;
}

/** How busy the app server is. */
export interface LoadFrame {
	readonly type: "load";
	readonly clients: number;
	/** Delay of its event loop. */
	readonly delayMs: number;
}

/** A hub message to one client, as the client's protocol writes it, framing included. */
export interface RecordFrame {
	readonly type: "record";
	readonly client: number;
	/** SignalR's number of the message in the record. */
	readonly messageType: number;
	readonly invocationId: string | undefined;
	/** Undefined for an event. */
	readonly state: StateMark | undefined;
	readonly record: Buffer;
}

/** An item of a client that a server has pushed: up from a proxy, or down from an app server. */
export interface ItemFrame {
	readonly type: "itemUp" | "itemDown";
	readonly client: number;
	readonly name: string;
	/** MessagePack; undefined where the item is taken out. */
	readonly value: Buffer | undefined;
}

/** Everything that a session carries. Buffers that were read are views of the segment: copy what is kept for long. */
export type Frame =
	| OpenFrame
	| CloseFrame
	| MessageFrame
	| ClientFrame
	| DrainedFrame
	| ResyncFrame
	| GroupFrame
	| SendFrame
	| AbortFrame
	| RetainFrame
	| ForgetFrame
	| DrainFrame
	| LoadFrame
	| RecordFrame
	| ItemFrame;

/** Numbers of the frames on the wire. */
export const FRAME_TYPES: Readonly<Record<Frame["type"], number>> = {
	open: 0x10,
	close: 0x11,
	message: 0x12,
	pause: 0x13,
	resume: 0x14,
	resync: 0x15,
	drained: 0x16,
	itemUp: 0x17,
	join: 0x20,
	leave: 0x21,
	send: 0x22,
	abort: 0x23,
	retain: 0x24,
	forget: 0x25,
	drain: 0x26,
	load: 0x27,
	record: 0x28,
	hold: 0x29,
	go: 0x2a,
	closed: 0x2b,
	itemDown: 0x2c,
	admitted: 0x2d,
};

/** Set in the type of a part of a frame that is not its last. */
export const MORE_FOLLOWS = 0x40;

/** Set in the type of a RECORD's message where its invocationId follows. */
export const RECORD_HAS_ID = 0x10;
/** Set in the type of a RECORD's message where it is about a state, which follows. */
export const RECORD_IS_STATE = 0x20;

const NAMES: readonly (Frame["type"] | undefined)[] = Array.from({ length: 0x100 }, (_, number) =>
	(Object.keys(FRAME_TYPES) as Frame["type"][]).find((name) => FRAME_TYPES[name] === number),
);

/** The name of a frame's number; undefined where it is not known. */
export function frameName(number: number): Frame["type"] | undefined {
	return NAMES[number];
}

/** Which end sends frames of this number. */
export function senderOf(number: number): LinkRole {
	return number < FRAME_TYPES.join ? "proxy" : "app";
}
