import { readFileSync } from "node:fs";
import {
	type Frame,
	FrameReader,
	type LinkRole,
	type Segment,
	SegmentReader,
} from "../../../lib/forwarding/wire/index.js";

/** What one end wrote at once on the one link of a session, behind SignalR's handshake. */
export interface Written {
	readonly from: LinkRole;
	readonly bytes: Buffer;
}

/** A segment with the bytes that it stood in. */
export interface Told {
	readonly from: LinkRole;
	readonly bytes: Buffer;
	readonly segment: Segment;
}

const FILE = new URL("./v1-session.json", import.meta.url);
/** Beside the sources: compiled tests read it there as well. */
const PATH = FILE.pathname.replace("/dist/", "/");

/** What version 1 wrote, as it is kept in the repository. */
export function recorded(): readonly Told[] {
	const { written } = JSON.parse(readFileSync(PATH, "utf8")) as {
		written: { from: LinkRole; hex: string }[];
	};
	return toldIn(written.map(({ from, hex }) => ({ from, bytes: Buffer.from(hex, "hex") })));
}

/** Cuts what was written into segments; each keeps its bytes. */
export function toldIn(written: readonly Written[]): Told[] {
	const rest: Record<LinkRole, Buffer> = { proxy: Buffer.alloc(0), app: Buffer.alloc(0) };
	return written.flatMap(({ from, bytes }) => {
		const told: Told[] = [];
		let left = Buffer.concat([rest[from], bytes]);
		for (let length = lengthOf(left); length <= left.length; length = lengthOf(left)) {
			const whole = left.subarray(0, length);
			const reader = new SegmentReader();
			reader.push(whole);
			const segment = reader.next();
			if (segment) told.push({ from, bytes: whole, segment });
			left = left.subarray(length);
		}
		rest[from] = left;
		return told;
	});
}

/** The bytes of the first segment with its length; more than any where that is not there yet. */
function lengthOf(bytes: Buffer): number {
	let length = 0;
	for (let at = 0, factor = 1; at < bytes.length && at < 4; at++, factor *= 128) {
		const byte = bytes[at] ?? 0;
		length += (byte & 0x7f) * factor;
		if (byte < 0x80) return at + 1 + length;
	}
	return Number.POSITIVE_INFINITY;
}

/** What DATA segments of one end say. */
export function framesOf(told: readonly Pick<Told, "from" | "segment">[], from: LinkRole): Frame[] {
	const reader = new FrameReader(from);
	return told.flatMap(({ from: end, segment }) =>
		end === from && segment.kind === "data" ? reader.read(segment.data.frames) : [],
	);
}
