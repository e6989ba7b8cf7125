import type { HubProtocol } from "../protocols/index.js";
import type { ConnectionRequest } from "../transports/index.js";
import type { ChannelHandler } from "./channel/channel-host.js";
import type { MessageChannel } from "./channel/message-channel.js";
import type { ClientConnection } from "./clients/client-connection.js";

/**
 * Takes connections that are no clients: the links of proxies. A hub asks its acceptors in the order in which they
 * were given; what none of them takes is a client.
 */
export interface Acceptor {
	/**
	 * Whether the hub's `authenticate` and `authorize` are not asked about a request: they know users, and what this one
	 * opens is either kept out by {@link refuse} or taken by {@link handshake}, never a client.
	 */
	exempts?(request: ConnectionRequest): boolean;
	/** Keeps a peer out: what is returned becomes the error of its handshake. */
	refuse?(channel: MessageChannel): string | undefined;
	/**
	 * An extra hub protocol for this peer's handshake; undefined where the peer may not have it. Its `transferFormat` is
	 * that of the answer to the handshake, too; `Binary` is refused where the transport cannot carry it.
	 */
	protocol?(name: string, channel: MessageChannel): HubProtocol | undefined;
	/**
	 * Takes a connection as soon as its handshake is done, before it ever was a client. One that speaks something else
	 * than hub messages takes it off the channel: `channel.detach()`; what is returned then is never called.
	 */
	handshake?(channel: MessageChannel): ChannelHandler | undefined;
	/** A target by which a peer shows later that it is no client (compared without regard to case). */
	readonly target?: string;
	/**
	 * Takes a connected client's channel at its first call of {@link target}: the client then is gone for the hub
	 * (reason `migrated`), and the handler gets that call first. Undefined leaves it a client, for which the target is
	 * an unknown method.
	 */
	claim?(client: ClientConnection, channel: MessageChannel): ChannelHandler | undefined;
}
