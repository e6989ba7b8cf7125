import assert from "node:assert/strict";
import { type Deferred, ManualClock } from "../../../lib/base/index.js";
import { TrunklineError } from "../../../lib/errors/index.js";
import type { ChannelHandler, ChannelHost } from "../../../lib/hub/channel/channel-host.js";
import { Heartbeat } from "../../../lib/hub/channel/heartbeat.js";
import { MessageChannel } from "../../../lib/hub/channel/message-channel.js";
import type { DisconnectReason } from "../../../lib/hub/index.js";
import {
	type HubMessage,
	jsonProtocol,
	MessageType,
	messagePackProtocol,
} from "../../../lib/protocols/index.js";
import { collectingLog, FakeConnection } from "../fakes.js";

export const SHAKE = '{"protocol":"json","version":1}';
export const PING = '{"type":6}';
export const FAILED = '{"type":7,"error":"Connection closed with an error.","allowReconnect":true}';

export function call(target: string): string {
	return `{"type":1,"target":"${target}","arguments":[]}`;
}

export function codeOf([reason]: readonly DisconnectReason[]): string | undefined {
	return reason?.error instanceof TrunklineError ? reason.error.code : undefined;
}

/** A channel over a fake connection, and what its owner hears. */
export class Fixture {
	readonly clock = new ManualClock(1_000);
	readonly connection: FakeConnection;
	readonly channel: MessageChannel;
	readonly log = collectingLog();
	readonly messages: HubMessage[] = [];
	readonly reasons: DisconnectReason[] = [];
	closedChannels = 0;
	detachedChannels = 0;
	/** Set to ask for back-pressure at the next message. */
	hold: Deferred<void> | undefined;
	handler: ChannelHandler = {
		message: (message) => {
			this.messages.push(message);
			return this.hold?.promise;
		},
		closed: (reason) => void this.reasons.push(reason),
	};

	/** The error that every handshake gets, where there is one. */
	bar: string | undefined;

	constructor(options: Partial<ChannelHost> = {}, connection = new FakeConnection()) {
		this.connection = connection;
		const host: ChannelHost = {
			clock: this.clock,
			log: this.log,
			heartbeat: new Heartbeat(this.clock, 4_000),
			handshakeTimeoutMs: 15_000,
			keepAliveIntervalMs: 15_000,
			clientTimeoutMs: 30_000,
			maxMessageBytes: 32_768,
			statefulReconnectBufferBytes: 1_000,
			closeOnAuthenticationExpiration: false,
			detailedErrors: false,
			refusal: () => this.bar,
			protocol: (name) =>
				[jsonProtocol, messagePackProtocol].find((known) => known.name === name.toLowerCase()),
			shaken: () => this.handler,
			closed: () => void this.closedChannels++,
			detached: () => void this.detachedChannels++,
			wantsBytes: false,
			...options,
		};
		this.channel = new MessageChannel(connection, host);
	}

	get targets(): string[] {
		return this.messages.flatMap((message) =>
			message.type === MessageType.Invocation ? [message.target] : [],
		);
	}

	/** Answers of the server behind the handshake's. */
	get answers(): string[] {
		return this.connection.records.slice(1);
	}

	shake(): this {
		this.connection.receive(SHAKE);
		assert.deepEqual(this.connection.records, ["{}"]);
		return this;
	}
}
