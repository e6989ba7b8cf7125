import type { ByteReader } from "./byte-reader.js";
import type { ByteWriter } from "./byte-writer.js";
import { MAX_SESSION_LINKS } from "./limits.js";

/** How many DATA segments came on one link (PROTOCOL.md, "Session"). */
export interface LinkAck {
	/** The link's place in the pool. */
	readonly link: number;
	/** How often that place was connected, from 1: an ack may speak of a link that has been replaced since. */
	readonly incarnation: number;
	/** DATA segments that came on this incarnation, doubles included. */
	readonly received: number;
}

/** What one end tells the other about what came: a link is in order, so each count says exactly which segments. */
export interface Acks {
	readonly links: readonly LinkAck[];
	/** Number of the last segment that was handed on; 0 where none was. */
	readonly delivered: number;
	/** Bytes of DATA bodies that may be sent beyond `delivered`. */
	readonly window: number;
}

/** A numbered segment of a session. */
export interface DataSegment {
	/** Its place in the session's order, from 1. */
	readonly seq: number;
	readonly acks: Acks;
	/** The frames as they stand in the segment, a view of its bytes. */
	readonly frames: Buffer;
}

/** Writes acks: the number of links, (link, incarnation, segments) of each, `delivered`, `window`. */
export function writeAcks(writer: ByteWriter, acks: Acks): void {
	writer.varint(acks.links.length);
	for (const { link, incarnation, received } of acks.links) {
		writer.varint(link);
		writer.varint(incarnation);
		writer.varint(received);
	}
	writer.varint(acks.delivered);
	writer.varint(acks.window);
}

/** Reads acks. @throws TrunklineError ERR_LINK_PROTOCOL */
export function readAcks(reader: ByteReader): Acks {
	const count = reader.numberWithin(0, MAX_SESSION_LINKS, "the number of links in acks");
	const links: LinkAck[] = [];
	for (let read = 0; read < count; read++) links.push(readLinkAck(reader));
	return { links, delivered: reader.varint(), window: reader.varint() };
}

function readLinkAck(reader: ByteReader): LinkAck {
	return {
		link: reader.numberWithin(0, MAX_SESSION_LINKS - 1, "the place of a link"),
		incarnation: reader.numberWithin(1, Number.MAX_SAFE_INTEGER, "the incarnation of a link"),
		received: reader.varint(),
	};
}
