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
