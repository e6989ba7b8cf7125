import type { Log } from "../../lib/base/index.js";
import { ClientConnection, type ClientIdentity } from "../../lib/hub/clients/client-connection.js";
import type { ClientHost } from "../../lib/hub/clients/client-host.js";
import type { Carrier, ClientWire } from "../../lib/hub/clients/client-wire.js";
import type { PreparedMessage } from "../../lib/hub/clients/prepared-message.js";
import { StateSources } from "../../lib/hub/clients/state-sources.js";
import type { CloseMessage, HubMessage, InvocationMessage } from "../../lib/protocols/index.js";
import { Arguments, MessageType } from "../../lib/protocols/index.js";
import type { Connection, ConnectionListener, ConnectionRequest, User } from "../../lib/transports/index.js";

export const REQUEST: ConnectionRequest = {
	url: "/chat",
	method: "GET",
	path: "/chat",
	query: new URLSearchParams(),
	headers: {},
	remoteAddress: "127.0.0.1",
	remotePort: 1,
	localAddress: "127.0.0.1",
	localPort: 2,
	ip: "127.0.0.1",
	ips: [],
	protocol: "http",
	secure: false,
	host: "127.0.0.1",
};

export function identityOf(connectionId: string, userId?: string): ClientIdentity {
	const user = userId === undefined ? undefined : { id: userId };
	return { connectionId, user, request: REQUEST, transport: "WebSockets", protocolName: "json" };
}

/** Remembers what a client is sent. */
export class FakeWire implements ClientWire {
	readonly carrier: Carrier | undefined;
	readonly sent: HubMessage[] = [];
	readonly closes: CloseMessage[] = [];

	constructor(carrier?: Carrier) {
		this.carrier = carrier;
	}

	/** Targets of the invocations that were sent. */
	get targets(): string[] {
		return this.sent.flatMap((message) => (message.type === MessageType.Invocation ? [message.target] : []));
	}

	send(message: PreparedMessage): void {
		if (this.closes.length === 0) this.sent.push(message.message);
	}

	close(message: CloseMessage): void {
		this.closes.push(message);
	}
}

/** A client host that runs what a test sets. */
export class FakeHost implements ClientHost {
	maximumParallelInvocations = 1;
	readonly maxPendingClientResults = 2;
	readonly streamLimits = { maxStreamsPerConnection: 3, streamBufferCapacity: 2 };
	readonly reasons: string[] = [];
	readonly refusals: unknown[] = [];
	readonly streamed: HubMessage[] = [];
	readonly completions: HubMessage[] = [];
	readonly stateSources = new StateSources();
	dispatch: ClientHost["dispatch"] = async () => true;
	ending: ClientHost["ending"] = () => {};
	itemPushed: ClientHost["itemPushed"] = () => {};

	stream(_client: ClientConnection, message: HubMessage): void {
		this.streamed.push(message);
	}

	completed(_client: ClientConnection, message: HubMessage): void {
		this.completions.push(message);
	}

	connected: ClientHost["connected"] = async () => {};
	migrating: ClientHost["migrating"] = async () => {};
	settled: ClientHost["settled"] = (listeners) => listeners;

	async disconnected(_client: ClientConnection, reason: { readonly kind: string }): Promise<void> {
		this.reasons.push(reason.kind);
	}

	refused(_client: ClientConnection, cause: unknown, isLate: boolean): CloseMessage {
		this.refusals.push(isLate ? "late" : cause);
		return { type: MessageType.Close, error: "refused" };
	}
}

/** A client that nothing stands behind, for indexes of clients. */
export function fakeClient(connectionId: string, options: { userId?: string; carrier?: Carrier } = {}) {
	const wire = new FakeWire(options.carrier);
	const client = new ClientConnection(identityOf(connectionId, options.userId), wire, new FakeHost());
	return { client, wire };
}

export function invocation(
	target: string,
	args: readonly unknown[] = [],
	invocationId?: string,
): InvocationMessage {
	return { type: MessageType.Invocation, target, arguments: Arguments.of(args), invocationId };
}

/** The server's end of a connection whose client is the test. */
export class FakeConnection implements Connection {
	readonly connectionId = "c1";
	readonly transport = "WebSockets";
	readonly formats: Connection["formats"];
	readonly hasInherentKeepAlive = false;
	readonly request = REQUEST;
	user: User | undefined = undefined;
	readonly bufferedBytes = 0;
	maxBufferedBytes = 1_000_000;
	isFull = false;
	isSlow = false;
	isReconnectable = false;
	isReconnectEnabled = false;
	isPaused = false;
	isEnded = false;
	readonly sent: { readonly bytes: Buffer; readonly format: string }[] = [];
	readonly #held: Buffer[] = [];
	#listener: ConnectionListener | undefined;

	constructor(formats: Connection["formats"] = ["Text", "Binary"]) {
		this.formats = formats;
	}

	/** The records that were sent, as text without separators. */
	get records(): string[] {
		const text = Buffer.concat(this.sent.map(({ bytes }) => bytes)).toString();
		return text.split("\u001e").filter((record) => record !== "");
	}

	listen(listener: ConnectionListener): void {
		this.#listener = listener;
	}

	release(): void {
		this.#listener = undefined;
	}

	send(bytes: Buffer, format: string): void {
		if (!this.isEnded) this.sent.push({ bytes, format });
	}

	enableReconnect(): void {
		this.isReconnectEnabled = true;
	}

	pause(): void {
		this.isPaused = true;
	}

	resume(): void {
		this.isPaused = false;
		while (!this.isPaused && this.#held.length > 0)
			this.#listener?.data(this.#held.shift() ?? Buffer.alloc(0));
	}

	close(): void {
		this.abort();
	}

	abort(): void {
		if (this.isEnded) return;
		this.isEnded = true;
		queueMicrotask(() => this.#listener?.closed());
	}

	/** The client sends records (text gets its separator) or bytes. */
	receive(...parts: readonly (string | Buffer)[]): void {
		for (const part of parts) {
			const bytes = typeof part === "string" ? Buffer.from(`${part}\u001e`) : part;
			if (this.isPaused) this.#held.push(bytes);
			else this.#listener?.data(bytes);
		}
	}

	/** The socket is lost, the connection lives on. */
	interrupt(): void {
		this.#held.length = 0;
		this.#listener?.interrupted?.();
	}

	/** The client is back; `sent` begins anew. */
	comeBack(): void {
		this.sent.length = 0;
		this.#listener?.resumed?.();
	}

	/** What waited is sent. */
	drain(): void {
		this.isFull = false;
		this.#listener?.drained?.();
	}

	/** The client is gone. */
	vanish(error?: Error): void {
		this.isEnded = true;
		this.#listener?.closed(error);
	}
}

/** What a log line carries beside its sentence. */
export interface Logged {
	readonly level: string;
	readonly err?: unknown;
	readonly code?: unknown;
	readonly reason?: unknown;
	readonly target?: unknown;
	readonly vmId?: unknown;
}

/** A log that keeps its sentences, and in `entries` their fields. */
export function collectingLog(): Log & { readonly lines: string[]; readonly entries: Logged[] } {
	const lines: string[] = [];
	const entries: Logged[] = [];
	const add =
		(level: string) =>
		(fields: object, message: string): void => {
			lines.push(`${level} ${message}`);
			entries.push({ ...fields, level });
		};
	return { lines, entries, debug: add("debug"), info: add("info"), warn: add("warn"), error: add("error") };
}

/** Lets every promise that can settle do so. */
export async function settle(): Promise<void> {
	await new Promise((resolve) => setImmediate(resolve));
}
