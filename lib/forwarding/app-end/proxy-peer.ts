import { Fifo, type Timer } from "../../base/index.js";
import { TrunklineError } from "../../errors/index.js";
import {
	type Carrier,
	type ClientConnection,
	type Hub,
	invocationOf,
	type LinkStatus,
	type MessageChannel,
	PreparedMessage,
	type Selection,
} from "../../hub/index.js";
import {
	type HubMessage,
	HubTarget,
	type LinkResponse,
	MessageType,
	writeLinkResponse,
} from "../../protocols/index.js";
import type { ResolvedAcceptLinksOptions } from "./accept-options.js";

/** Clients that are ended in one turn when their proxy is gone; the others go on meanwhile. */
const CLOSE_BATCH = 200;

/**
 * A proxy as an app server sees it: its links, and the clients that it holds. All that goes to it takes one link, so
 * that a group's update never overtakes the state that a new member was sent; another link takes over when that one is
 * lost. Without any link it is kept for a grace, then its clients are ended.
 */
export class ProxyPeer implements Carrier {
	readonly hubId: string;
	readonly clients: Map<string, ClientConnection> = new Map();
	readonly #hub: Hub;
	readonly #options: ResolvedAcceptLinksOptions;
	readonly #channels = new Set<MessageChannel>();
	readonly #held = new Fifo<PreparedMessage>();
	#heldBytes = 0;
	readonly #gone: (peer: ProxyPeer) => void;
	#grace: Timer | undefined;

	constructor(hubId: string, hub: Hub, options: ResolvedAcceptLinksOptions, gone: (peer: ProxyPeer) => void) {
		this.hubId = hubId;
		this.#hub = hub;
		this.#options = options;
		this.#gone = gone;
	}

	/** Its links as they are now. */
	get status(): LinkStatus {
		const [channel] = this.#channels;
		return {
			...{ role: "app", wire: "dotnetify", peer: channel?.request.remoteAddress ?? "", instance: undefined },
			...{ links: this.#channels.size, clients: this.clients.size, held: 0, queued: this.#held.length },
			...{ queuedBytes: undefined, isDraining: false, load: undefined, counters: undefined },
		};
	}

	attach(channel: MessageChannel): void {
		if (this.#channels.has(channel)) return;
		this.#channels.add(channel);
		if (this.#channels.size === 1) this.#hub.log.info(this.#description(channel), "A proxy has a link here.");
		this.#grace?.cancel();
		this.#grace = undefined;
		this.#release((held) => channel.send(held));
	}

	detach(channel: MessageChannel): void {
		if (!this.#channels.delete(channel) || this.#channels.size > 0) return;
		const { proxyGraceMs } = this.#options;
		this.#hub.log.info({ ...this.#description(channel), proxyGraceMs }, "A proxy has no link here any more.");
		this.#grace = this.#hub.clock.schedule(proxyGraceMs, () => this.#end());
	}

	#description(channel: MessageChannel): object {
		return { hubId: this.hubId, remoteAddress: channel.request.remoteAddress, clients: this.clients.size };
	}

	/** Sends a message to one of its clients. */
	sendTo(connectionId: string, message: PreparedMessage): void {
		this.#respond({ kind: "SendAsync", connectionId, ...this.#dataOf(message.message) });
	}

	send(selection: Selection, members: readonly ClientConnection[], message: PreparedMessage): void {
		this.#respond(responseFor(selection, members, this.#dataOf(message.message)));
	}

	joined(client: ClientConnection, group: string): void {
		this.#respond({ kind: "AddToGroupAsync", group, connectionId: client.connectionId });
	}

	left(client: ClientConnection, group: string): void {
		this.#respond({ kind: "RemoveFromGroupAsync", group, connectionId: client.connectionId });
	}

	/** Stops waiting for links that come back. */
	dispose(): void {
		this.#grace?.cancel();
		this.#release(() => this.#report("ERR_FORWARD_CLOSED", "the hub was closed."));
	}

	#dataOf(message: HubMessage): ViewModelData {
		const target = message.type === MessageType.Invocation ? message.target : undefined;
		const response = message.type === MessageType.Invocation ? message.arguments.first : undefined;
		if (target === HubTarget.Response && Array.isArray(response) && response.length === 2) {
			return { vmId: response[0] as string | null, data: response[1] };
		}
		throw new TrunklineError(
			"ERR_FORWARD_UNSUPPORTED",
			`dotNetify's wire carries ${HubTarget.Response} only; "${target ?? "this message"}" cannot reach a forwarded client.`,
		);
	}

	#respond(response: LinkResponse): void {
		const message = new PreparedMessage(invocationOf(HubTarget.Response, [writeLinkResponse(response)]));
		const [channel] = this.#channels;
		if (channel) channel.send(message);
		else this.#hold(message, "data" in response ? String(response.data).length : 0);
	}

	#hold(message: PreparedMessage, bytes: number): void {
		const { maxHeldMessages, maxLinkBufferedBytes } = this.#options;
		if (this.#held.length >= maxHeldMessages || this.#heldBytes + bytes > maxLinkBufferedBytes) {
			const waiting = `${this.#held.length} messages (${this.#heldBytes} bytes) wait for a link already`;
			this.#report("ERR_LIMIT", `${waiting} (maxHeldMessages, maxLinkBufferedBytes).`);
			return;
		}
		this.#heldBytes += bytes;
		this.#held.push(message);
	}

	/** Takes out all that is held, in order. */
	#release(take: (held: PreparedMessage) => void): void {
		this.#heldBytes = 0;
		for (let held = this.#held.shift(); held; held = this.#held.shift()) take(held);
	}

	#report(code: "ERR_LIMIT" | "ERR_FORWARD_LINK_LOST" | "ERR_FORWARD_CLOSED", reason: string): void {
		this.#hub.report({
			code,
			target: HubTarget.Response,
			reason: `A message for proxy ${this.hubId} was dropped: ${reason}`,
		});
	}

	/** The proxy did not come back: what it held is gone. */
	#end(): void {
		this.#grace = undefined;
		this.#release(() => {
			this.#report("ERR_FORWARD_LINK_LOST", `the proxy had no link for ${this.#options.proxyGraceMs} ms.`);
		});
		this.#gone(this);
		const message = `All links of proxy ${this.hubId} are lost for ${this.#options.proxyGraceMs} ms (proxyGraceMs).`;
		const error = new TrunklineError("ERR_FORWARD_LINK_LOST", message);
		this.#hub.log.warn({ hubId: this.hubId, clients: this.clients.size }, message);
		this.#endSome([...this.clients.values()], error);
		this.clients.clear();
	}

	#endSome(clients: ClientConnection[], error: Error): void {
		for (const client of clients.splice(0, CLOSE_BATCH)) void client.ended({ kind: "lost", error });
		if (clients.length > 0) setImmediate(() => this.#endSome(clients, error));
	}
}

interface ViewModelData {
	readonly vmId: string | null;
	readonly data: unknown;
}

function responseFor(
	selection: Selection,
	members: readonly ClientConnection[],
	data: ViewModelData,
): LinkResponse {
	const many: LinkResponse = {
		kind: "SendToManyAsync",
		connectionIds: members.map(({ connectionId }) => connectionId),
		...data,
	};
	switch (selection.kind) {
		case "client":
			return { kind: "SendAsync", connectionId: selection.connectionId, ...data };
		case "users":
			return selection.except?.length
				? many
				: { kind: "SendToUsersAsync", userIds: selection.userIds, ...data };
		case "groups":
			return responseForGroups(selection, many, data);
		default:
			return many;
	}
}

function responseForGroups(
	{ groups: [group, ...others], except }: Extract<Selection, { kind: "groups" }>,
	many: LinkResponse,
	data: ViewModelData,
): LinkResponse {
	if (group === undefined || others.length > 0) return many;
	if (except === undefined) return { kind: "SendToGroupAsync", group, ...data };
	return { kind: "SendToGroupExceptAsync", group, except, ...data };
}
