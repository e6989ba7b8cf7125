/** Who is connected, and what is sent. All bytes are base64, since jobs cross between processes as JSON. */
export interface LoadJob {
	readonly port: number;
	readonly path: string;
	/** The hub protocol; `none` for a bare WebSocket server, whose messages end as those of the JSON protocol; or Socket.IO's. */
	readonly protocol: "json" | "messagepack" | "none" | "socket.io";
	readonly clients: number;
	/** What each client sends first, and the messages that come back to it. */
	readonly setup: { readonly message: string; readonly answers: number } | undefined;
	/** Sent one after the other, and again from the start; all of one size. */
	readonly messages: readonly string[];
	/** `echo`: each client gets its own answers. `fan-out`: the first client sends, each client gets every message. */
	readonly mode: "echo" | "fan-out" | "idle";
	/** Messages of a client that wait for their answer. At most {@link MAX_OUTSTANDING}. */
	readonly outstanding: number;
	/** Messages that answer one message. */
	readonly answers: number;
	/** Never sleep, so that the server is not charged for waking the load. Only where the load has its core for itself. */
	readonly isSpinning: boolean;
}

/** Most messages of a client that wait for their answer. */
export const MAX_OUTSTANDING = 64;

/** How long is measured, and which processes' CPU time. */
export interface Window {
	readonly warmUpMs: number;
	readonly windowMs: number;
	readonly pids: readonly number[];
}

/** What a process did in a window. */
export interface ProcessShare {
	readonly pid: number;
	/** User and system time of all its threads. */
	readonly cpuSeconds: number;
	/** Time in which it could run and something else had its core. */
	readonly waitSeconds: number;
}

/** What was measured in a window. */
export interface WindowResult {
	readonly seconds: number;
	/** Messages answered, or deliveries. */
	readonly messages: number;
	readonly p50Us: number;
	readonly p99Us: number;
	readonly processes: readonly ProcessShare[];
	/** Share of the window in which the load had something to do. */
	readonly loadBusy: number;
	/** Share of the window in which each core of the machine had work, of whomever. */
	readonly coresBusy: readonly number[];
	/** Messages sent from the first to the last, with warm-up and the time after the window. */
	readonly sent: number;
	/** Answers or deliveries from the first to the last; as many as `sent` calls for, or the measurement fails. */
	readonly received: number;
}

/** What the load can be asked; one request at a time. */
export type LoadRequest =
	| { readonly kind: "connect"; readonly job: LoadJob }
	| { readonly kind: "measure"; readonly window: Window }
	| { readonly kind: "close" };
