import type { Clock, Log } from "../../base/index.js";
import type { HubMessage, HubProtocol } from "../../protocols/index.js";
import type { Connection } from "../../transports/index.js";
import type { DisconnectReason } from "../clients/client-connection.js";
import type { Watched } from "../observing/observation.js";
import type { Heartbeat } from "./heartbeat.js";
import type { MessageChannel } from "./message-channel.js";

/** Who gets the messages of a channel. Calls never overlap; nothing comes after `closed`. */
export interface ChannelHandler {
	/** A returned promise asks for back-pressure: nothing more is read until it resolves. */
	message(message: HubMessage): Promise<void> | undefined;
	closed(reason: DisconnectReason): void;
}

/** What a channel needs of its hub. */
export interface ChannelHost {
	readonly clock: Clock;
	readonly log: Log;
	readonly heartbeat: Heartbeat;
	readonly handshakeTimeoutMs: number;
	readonly keepAliveIntervalMs: number;
	readonly clientTimeoutMs: number;
	readonly maxMessageBytes: number;
	readonly statefulReconnectBufferBytes: number;
	readonly closeOnAuthenticationExpiration: boolean;
	readonly detailedErrors: boolean;
	/** The error of a handshake that is refused whatever it asks for. */
	refusal(channel: MessageChannel): string | undefined;
	/** The protocol of a handshake; undefined refuses it. */
	protocol(name: string, channel: MessageChannel): HubProtocol | undefined;
	/** The handshake is answered: who takes the messages from here? */
	shaken(channel: MessageChannel): ChannelHandler;
	/** The channel is closed. */
	closed(channel: MessageChannel, reason: DisconnectReason): void;
	/** The channel has let go of its connection. */
	detached(channel: MessageChannel): void;
	/** Whether messages are read by `peek` where their protocol has it; asked at each handshake. */
	readonly wantsBytes: boolean;
	/** Who is told of the messages that come and go. */
	readonly watched?: Watched | undefined;
}

/** A connection that was taken off its channel. */
export interface Detached {
	readonly connection: Connection;
	/** What came behind the handshake and was not read; the connection does not deliver it again. */
	readonly rest: Buffer;
}
