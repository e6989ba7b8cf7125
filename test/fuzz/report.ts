/** Where the hub under fire is. */
export const HUB_PATH = "/hub";
/** An app server's hub that takes links from this machine. */
export const LINKS_PATH = "/links";
/** A proxy's hub, whose links lead there. */
export const PROXY_PATH = "/proxy";

/** A method that breaks the server. */
export const CRASH_TARGET = "breakTheServerOnPurpose";

/** What the server has, after garbage collection. */
export interface ServerState {
	readonly clients: number;
	readonly sockets: number;
	readonly heapBytes: number;
	/** Whether a name on the prototype of all objects was set. */
	readonly isPolluted: boolean;
}

/** What the server tells its parent. */
export type ServerReport =
	| { readonly port: number }
	| { readonly fault: string }
	| { readonly state: ServerState };

/** What a door did with its frames. */
export interface DoorResult {
	readonly door: string;
	/** Frames that the server has looked at. */
	readonly frames: number;
	/** Connections that were used up by them. */
	readonly connections: number;
	/** Connections that were given up because no answer came. */
	readonly held: number;
	readonly seconds: number;
	/** Answers that the well-behaved client got meanwhile, all correct. */
	readonly witnessed: number;
	/** Of the server, with the well-behaved client only; absent where nobody waited for the others to be gone. */
	readonly heapBytes: number | undefined;
}

/** Where frames go. */
export interface Target {
	readonly port: number;
	readonly path: string;
	/** Has a proxy over there lead to this address; undefined: to none any more. */
	forwardTo?(url: string | undefined): void;
}

/** One connection after another, on which frames are sent. */
export interface Worker {
	readonly connections: number;
	readonly held: number;
	start(): void;
	/** Called now and then: gives up what has had no answer. */
	tick(now: number): void;
	stop(): void;
}

/** A frame by its number, and its bytes. */
export interface SentFrame {
	readonly index: number;
	readonly bytes: Buffer;
}

/** Gives out frames, and counts those that were looked at. */
export interface Supply {
	/** The next frame, or nothing when all are given out. */
	take(): SentFrame | undefined;
	/** So many more have been looked at. */
	done(frames: number): void;
}
