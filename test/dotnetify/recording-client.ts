import { deferred } from "../../lib/base/index.js";
import type { ClientConnection, ClientIdentity, Hub, PreparedMessage } from "../../lib/hub/index.js";
import {
	Arguments,
	type CompletionMessage,
	type HubMessage,
	MessageType,
} from "../../lib/protocols/index.js";

/** A state, changes or an error: members by name; those that tests read are spelled out. */
export interface Data {
	readonly [name: string]: unknown;
	readonly ExceptionType?: unknown;
	readonly Message?: unknown;
	readonly FirstName?: unknown;
	readonly LastName?: unknown;
	readonly Greetings?: unknown;
	readonly Items?: unknown;
	readonly Users?: unknown;
	readonly Log?: unknown;
	readonly Links?: unknown;
	readonly Elsewhere?: unknown;
	readonly RoutingState?: unknown;
	readonly Text?: unknown;
	readonly Who?: unknown;
	readonly Now?: unknown;
	readonly N?: unknown;
}

/** A `Response_VM` as a client reads it. */
export interface Response {
	readonly vmId: string | null;
	readonly data: Data;
	readonly delivery: PreparedMessage["delivery"];
}

/** What a client got: answers and completions in their order. */
export type Received = Response | CompletionMessage;

export type AnyHub = Pick<Hub, "open">;

const REQUEST = {
	...{
		method: "GET",
		url: "/dotnetify",
		path: "/dotnetify",
		query: new URLSearchParams(),
		headers: { "user-agent": "test" },
	},
	...{ remoteAddress: "127.0.0.1", remotePort: 1234, localAddress: "127.0.0.1", localPort: 80 },
	...{ ip: "127.0.0.1", ips: [], protocol: "http", secure: false, host: "localhost" },
} as const satisfies ClientIdentity["request"];

let clients = 0;

/** A client of a hub without a socket between: what it sends is received at once, what it is sent is recorded. */
export class RecordingClient {
	readonly connection: ClientConnection;
	readonly received: Received[] = [];
	readonly #pending = new Map<string, (completion: CompletionMessage) => void>();
	#invocations = 0;

	constructor(hub: AnyHub, identity: Partial<ClientIdentity> & { headers?: Record<string, string> } = {}) {
		const { headers, ...rest } = identity;
		this.connection = hub.open(
			{
				...{ connectionId: `c${++clients}`, user: undefined, transport: "WebSockets", protocolName: "json" },
				request: { ...REQUEST, headers: headers ?? REQUEST.headers },
				...rest,
			},
			{ send: (message) => this.#take(message), close: () => {} },
		);
	}

	get id(): string {
		return this.connection.connectionId;
	}

	/** All responses so far; `take` forgets them. */
	get responses(): Response[] {
		return this.received.filter((each): each is Response => "vmId" in each);
	}

	/** The data of the responses since the last call. */
	take(): Data[] {
		const data = this.responses.map((response) => response.data);
		this.received.length = 0;
		return data;
	}

	async invoke(target: string, ...args: readonly unknown[]): Promise<CompletionMessage> {
		const invocationId = String(this.#invocations++);
		const { promise, resolve } = deferred<CompletionMessage>();
		this.#pending.set(invocationId, resolve);
		const invocation = { type: MessageType.Invocation, target, invocationId, arguments: Arguments.of(args) };
		await this.connection.receive(invocation);
		return promise;
	}

	/** The state that a request is answered with. */
	async request(vmId: string, data: unknown = null): Promise<Data | undefined> {
		const from = this.responses.length;
		await this.invoke("Request_VM", vmId, data);
		return this.responses.slice(from).find((response) => response.vmId === vmId)?.data;
	}

	/** What an update is answered with. */
	async update(vmId: string, data: unknown): Promise<Data[]> {
		const from = this.responses.length;
		await this.invoke("Update_VM", vmId, data);
		return this.responses.slice(from).map((response) => response.data);
	}

	dispose(vmId: string): Promise<CompletionMessage> {
		return this.invoke("Dispose_VM", vmId);
	}

	disconnect(): Promise<void> {
		return this.connection.ended({ kind: "closed" });
	}

	#take({ message, delivery }: PreparedMessage): void {
		if (message.type === MessageType.Invocation) this.received.push(readResponse(message, delivery));
		if (message.type !== MessageType.Completion) return;
		this.received.push(message);
		this.#pending.get(message.invocationId)?.(message);
	}
}

function readResponse(
	message: HubMessage & { readonly arguments: Arguments },
	delivery: PreparedMessage["delivery"],
): Response {
	const [vmId, text] = message.arguments.first as [string | null, string];
	return { vmId, data: JSON.parse(text) as Data, delivery };
}
