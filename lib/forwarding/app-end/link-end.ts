import { messageOf, unknownMethodText } from "../../errors/index.js";
import { type ChannelHandler, type Hub, type MessageChannel, PreparedMessage } from "../../hub/index.js";
import {
	Arguments,
	CONTEXT_KEY,
	DISCONNECTED_METHOD,
	type ForwardedCall,
	type ForwardedContext,
	type HubMessage,
	HubTarget,
	type InvocationMessage,
	MessageType,
	parseInvokeArguments,
} from "../../protocols/index.js";
import { forwardingException } from "../forwarding-exception.js";
import { LinkLife } from "../observing/link-life.js";
import { type ForwardedClient, INVOKE_FAILED, type Proxies } from "./proxies.js";
import type { ProxyPeer } from "./proxy-peer.js";

/** An app server's end of one link: hands each `Invoke` to the client that it is from. */
export class LinkEnd implements ChannelHandler {
	readonly #hub: Hub;
	readonly #channel: MessageChannel;
	readonly #proxies: Proxies;
	readonly #peers = new Set<ProxyPeer>();
	readonly #life: LinkLife;

	constructor(hub: Hub, channel: MessageChannel, proxies: Proxies) {
		this.#hub = hub;
		this.#channel = channel;
		this.#proxies = proxies;
		this.#life = new LinkLife(hub, { role: "app", wire: "dotnetify", peer: channel.request.remoteAddress });
	}

	/** Never holds the link: a client's messages wait in its own inbox. */
	message(message: HubMessage): undefined {
		if (message.type === MessageType.Close) {
			this.#life.closing();
			this.#channel.close({ type: MessageType.Close });
		}
		if (message.type !== MessageType.Invocation) return;
		try {
			this.#invoke(message);
		} catch (cause) {
			this.#hub.counters.add("linkProtocolErrors");
			this.#hub.report({ code: "ERR_LINK_PROTOCOL", reason: messageOf(cause) });
			this.#answer(message.invocationId, INVOKE_FAILED);
		}
	}

	closed(): void {
		this.#life.down();
		for (const peer of this.#peers) peer.detach(this.#channel);
		this.#peers.clear();
	}

	#invoke(message: InvocationMessage): void {
		if (message.target.toLowerCase() !== HubTarget.Invoke.toLowerCase()) {
			this.#answer(message.invocationId, unknownMethodText(message.target));
			return;
		}
		const call = parseInvokeArguments(message.arguments.values, (text) => this.#proxies.contextOf(text));
		if (!call.context) {
			this.#hub.report({ code: "ERR_LINK_PROTOCOL", reason: "An Invoke named no client." });
			this.#answer(message.invocationId, INVOKE_FAILED);
			return;
		}
		this.#attach(call.context);
		if (call.method === DISCONNECTED_METHOD) this.#disconnect(call.context, message.invocationId);
		else this.#deliver(call, call.context, message.invocationId);
	}

	#attach(context: ForwardedContext): void {
		const peer = this.#proxies.peer(context.hubId);
		this.#peers.add(peer);
		peer.attach(this.#channel);
	}

	#deliver(call: ForwardedCall, context: ForwardedContext, invocationId: string | undefined): void {
		if (this.#hub.isClosing && !this.#proxies.get(context.connectionId)) {
			this.#leave(call, context, invocationId);
			return;
		}
		const contextText = call.metadata?.[CONTEXT_KEY];
		const client = this.#proxies.open(context, contextText, this.#channel);
		if (!client) {
			const reason = "A link claimed a client that is not its own.";
			this.#hub.report({ code: "ERR_LINK_PROTOCOL", client: context.connectionId, reason });
			this.#answer(invocationId, INVOKE_FAILED);
			return;
		}
		if (this.#isFull(client)) {
			this.#refuse(client, call, invocationId);
			return;
		}
		const id =
			invocationId === undefined ? undefined : client.wire.expect({ channel: this.#channel, invocationId });
		client.inbox.push({
			type: MessageType.Invocation,
			target: call.method,
			arguments: Arguments.of(call.args),
			invocationId: id,
		});
	}

	/**
	 * A hub that closes opens nobody any more. It answers nothing either: the end of the link lets the proxy send again
	 * what it may. Of a call without an id the proxy would never hear.
	 */
	#leave(call: ForwardedCall, { connectionId }: ForwardedContext, invocationId: string | undefined): void {
		if (invocationId !== undefined) return;
		const reason = "The hub is closing.";
		this.#hub.report({ code: "ERR_CONNECTION_CLOSED", client: connectionId, target: call.method, reason });
	}

	#isFull({ inbox }: ForwardedClient): boolean {
		const { maxInbox, maxInboxTotal } = this.#proxies.options;
		return inbox.length >= maxInbox || this.#proxies.waiting >= maxInboxTotal;
	}

	#refuse(client: ForwardedClient, call: ForwardedCall, invocationId: string | undefined): void {
		const vmId = typeof call.args[0] === "string" ? call.args[0] : undefined;
		const { connectionId } = client.connection;
		const reason = `${client.inbox.length} messages of this client wait already (maxInbox, maxInboxTotal).`;
		this.#hub.report({ code: "ERR_LIMIT", client: connectionId, target: call.method, vmId, reason });
		// Without an id the proxy would never hear of it: its client is told here.
		if (invocationId !== undefined) {
			this.#answer(invocationId, INVOKE_FAILED);
			return;
		}
		client.connection.sendPrepared(forwardingException(vmId, "ERR_LIMIT"));
	}

	#disconnect(context: ForwardedContext, invocationId: string | undefined): void {
		const client = this.#proxies.get(context.connectionId);
		if (client?.peer.hubId !== context.hubId) {
			this.#answer(invocationId);
			return;
		}
		let isEnded = false;
		const end = (): void => {
			if (isEnded) return;
			isEnded = true;
			late.cancel();
			// Whatever still runs was delivered; its answer would find nobody.
			client.wire.settle();
			void client.connection.ended({ kind: "closed" }).then(() => this.#answer(invocationId));
		};
		// A method that never returns must not keep its client for ever.
		const late = this.#hub.clock.schedule(this.#hub.options.listenerTimeoutMs, end);
		client.inbox.whenEmpty(end);
	}

	#answer(invocationId: string | undefined, error?: string): void {
		if (invocationId === undefined) return;
		const answer = error === undefined ? { hasResult: true, result: null } : { error };
		this.#channel.send(new PreparedMessage({ type: MessageType.Completion, invocationId, ...answer }));
	}
}
