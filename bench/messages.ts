import { createRequire } from "node:module";

const SEPARATOR = "\u001e";
/** Messages that are sent in turn; each other than the one before, so that a view model has something to tell. */
const VARIANTS = 8;

/** A call as the stock client writes it, but for its text, which is filled up to a size. */
export interface Call {
	readonly target: string;
	/** Asks for a Completion. */
	readonly isInvoked: boolean;
	/** The arguments, given the text. */
	argumentsOf(text: string): readonly unknown[];
}

function record({ target, isInvoked, argumentsOf }: Call, text: string, variant: number): Buffer {
	const id = isInvoked ? { invocationId: String(variant) } : {};
	return Buffer.from(
		`${JSON.stringify({ target, arguments: argumentsOf(text), ...id, type: 1 })}${SEPARATOR}`,
	);
}

const { pack } = createRequire(import.meta.url)("msgpackr") as typeof import("msgpackr");

function packed({ target, isInvoked, argumentsOf }: Call, text: string, variant: number): Buffer {
	const body = pack([1, {}, isInvoked ? String(variant) : null, target, argumentsOf(text), []]);
	const length = body.length < 128 ? [body.length] : [(body.length & 0x7f) | 0x80, body.length >> 7];
	return Buffer.concat([Buffer.from(length), body]);
}

/** An event of Socket.IO, in Engine.IO's message packet; with a number where it is acknowledged. */
function event({ target, isInvoked, argumentsOf }: Call, text: string, variant: number): Buffer {
	return Buffer.from(`42${isInvoked ? variant : ""}${JSON.stringify([target, ...argumentsOf(text)])}`);
}

/** What messages are written in. */
export type MessageFormat = "json" | "messagepack" | "socket.io";

const ENCODERS: Readonly<Record<MessageFormat, typeof record>> = {
	json: record,
	messagepack: packed,
	"socket.io": event,
};

/** A call's messages for a job, in base64: `bytes` each, with a text that is never that of the message before. */
export function messagesOf(call: Call, bytes: number, format: MessageFormat): string[] {
	const encode = ENCODERS[format];
	const rest = bytes - encode(call, "", 0).length;
	return Array.from({ length: VARIANTS }, (_, variant) => {
		const text = String(variant).repeat(Math.max(1, rest));
		// MessagePack's lengths grow with the text: take off what is too much.
		const excess = encode(call, text, variant).length - bytes;
		return encode(call, text.slice(Math.max(0, excess)), variant).toString("base64");
	});
}

/** One short message of a job, in base64. */
export function messageOf(call: Call, format: MessageFormat): string {
	return ENCODERS[format](call, "0", 0).toString("base64");
}
