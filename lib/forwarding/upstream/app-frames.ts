import { messageOf, TrunklineError } from "../../errors/index.js";
import {
	type ClientConnection,
	decodeRecord,
	type Encoding,
	type Hub,
	PreparedMessage,
	type Unread,
} from "../../hub/index.js";
import {
	decodeRawMessage,
	encodingOf,
	framedRecords,
	type HubMessage,
	type HubProtocol,
	jsonProtocol,
	MessageType,
	messagePackProtocol,
} from "../../protocols/index.js";
import { MAX_RETAINED_BYTES } from "../link/link-terms.js";
import {
	type ClientSelection,
	type Frame,
	type ItemFrame,
	type RecordFrame,
	type RetainFrame,
	type SendFrame,
	type StateMark,
	violation,
} from "../wire/index.js";
import type { AppSession } from "./app-session.js";
import type { RemoteClient } from "./remote-client.js";

/** Calls of one client that are made again; as many view models as an app server lets it hold by default. */
const MAX_RETAINED_PER_CLIENT = 100;

/** Does at the proxy what an app server says: a session's frames, on their way down. */
export class AppFrames {
	readonly #session: AppSession;
	readonly #hub: Hub;
	/** The app server's groups: they never meet those of the proxy's own hub. */
	readonly #groups = new Map<string, Set<RemoteClient>>();

	constructor(session: AppSession, hub: Hub) {
		this.#session = session;
		this.#hub = hub;
	}

	/** Frames about clients that are not here (any more) are passed over: both ends may let one go at the same time. */
	take(frame: Frame): void {
		if (frame.type === "send") {
			this.#send(frame);
			return;
		}
		const remote = "client" in frame ? this.#session.clients.get(frame.client) : undefined;
		if (remote) this.#takeFor(remote, frame);
	}

	/** Takes a client out of all groups. */
	leaveAll(remote: RemoteClient): void {
		for (const group of remote.groups) this.#leave(remote, group);
	}

	#takeFor(remote: RemoteClient, frame: Frame): void {
		switch (frame.type) {
			case "record":
				this.#record(remote, frame);
				break;
			case "join":
				this.#join(remote, frame.group);
				break;
			case "leave":
				this.#leave(remote, frame.group);
				break;
			case "abort":
				remote.client.connection.close(frame.text, frame.allowReconnect);
				break;
			case "retain":
				this.#retain(remote, frame);
				break;
			case "forget":
				remote.retained.delete(frame.key);
				remote.client.connection.forget(frame.key);
				break;
			case "itemDown":
				this.#item(remote, frame);
				break;
			case "admitted":
				remote.isPending = false;
				break;
			case "hold":
				remote.hold();
				break;
			case "go":
				remote.go();
				break;
			case "closed":
				this.#closed(remote);
		}
	}

	#closed(remote: RemoteClient): void {
		this.leaveAll(remote);
		this.#session.free(remote);
	}

	#record(remote: RemoteClient, frame: RecordFrame): void {
		const { messageType, invocationId, state, record } = frame;
		const { connection } = remote.client;
		if (messageType === MessageType.Invocation && invocationId === undefined && !state) {
			this.#calls(connection, record);
			return;
		}
		// A client whose link speaks something else was opened as one that speaks json.
		const protocolName = encodingOf(connection.protocolName);
		const type = messageType as HubMessage["type"];
		const prepared = written({ type, invocationId }, [{ protocolName, bytes: record }], state);
		if (messageType === MessageType.Invocation) {
			if (invocationId !== undefined) this.#session.relayAnswers(remote);
			this.#pass(connection, prepared);
		} else if (invocationId === undefined) return;
		else if (messageType === MessageType.Completion) remote.take(invocationId)?.completer.relay(prepared);
		// Items may come behind the client's own cancel.
		else {
			remote.callOf(invocationId)?.completer.relayItem(prepared);
			this.#paceItems(remote);
		}
	}

	/** Calls that nobody waits for, one or more: a client that speaks their protocol is sent them as they are. */
	#calls(connection: ClientConnection, bytes: Buffer): void {
		const type = MessageType.Invocation;
		const protocolName = encodingOf(connection.protocolName);
		const protocol = protocolName === "json" ? jsonProtocol : messagePackProtocol;
		if (protocolName !== connection.protocolName) {
			for (const each of framedRecords(protocol, bytes))
				this.#pass(
					connection,
					written({ type, invocationId: undefined }, [{ protocolName, bytes: each }], undefined),
				);
			return;
		}
		const decode = (): HubMessage => decodeRecord(protocol, bytes);
		this.#pass(
			connection,
			PreparedMessage.written({ type, invocationId: undefined, isJoined: true, protocolName, bytes, decode }),
		);
	}

	/** What one client's wire cannot carry must not end the session of all. */
	#pass(connection: ClientConnection, prepared: PreparedMessage): void {
		try {
			connection.sendPrepared(prepared);
		} catch (err) {
			const client = connection.connectionId;
			const code = err instanceof TrunklineError ? err.code : "ERR_SERIALIZATION";
			this.#hub.report({ code, client, reason: `A message could not be written: ${messageOf(err)}` });
		}
	}

	/** Items wait where they are made, as they do for a client with a socket there. */
	#paceItems(remote: RemoteClient): void {
		const room = remote.isPaused ? undefined : remote.client.connection.wire.writable?.();
		if (!room) return;
		remote.isPaused = true;
		this.#session.pace(remote, "pause");
		void room.then(() => {
			remote.isPaused = false;
			this.#session.pace(remote, "resume");
		});
	}

	#send({ selection, records, state }: SendFrame): void {
		const encodings = records.map(({ encoding, record }) => ({ protocolName: encoding, bytes: record }));
		const type = MessageType.Invocation;
		const prepared = written({ type, invocationId: undefined }, encodings, state);
		for (const remote of this.#members(selection)) {
			const { connection, hasEnded } = remote.client;
			if (!hasEnded && !remote.isPending) this.#pass(connection, prepared);
		}
	}

	#members(selection: ClientSelection): Iterable<RemoteClient> {
		switch (selection.kind) {
			case "all":
				return without(this.#session.clients.values(), selection.except);
			case "groups":
				return without(this.#union(selection.groups), selection.except);
			case "clients":
				return selection.clients.flatMap((number) => this.#session.clients.get(number) ?? []);
		}
	}

	#union(groups: readonly string[]): Iterable<RemoteClient> {
		const [first] = groups;
		if (groups.length === 1 && first !== undefined) return this.#groups.get(first) ?? [];
		return new Set(groups.flatMap((group) => [...(this.#groups.get(group) ?? [])]));
	}

	#join(remote: RemoteClient, group: string): void {
		if (remote.client.hasEnded) return;
		let members = this.#groups.get(group);
		if (!members) {
			members = new Set();
			this.#groups.set(group, members);
		}
		members.add(remote);
		remote.groups.add(group);
	}

	#leave(remote: RemoteClient, group: string): void {
		remote.groups.delete(group);
		const members = this.#groups.get(group);
		if (members?.delete(remote) && members.size === 0) this.#groups.delete(group);
	}

	/** @throws TrunklineError ERR_LINK_PROTOCOL: nobody but the app server can have made it. */
	#item(remote: RemoteClient, { name, value }: ItemFrame): void {
		try {
			remote.client.connection.takeItem({ name, value }, remote);
		} catch (cause) {
			throw violation("an item of a client cannot be taken", { cause });
		}
	}

	/** Kept in memory only, and never logged: it may hold what a user typed. */
	#retain(remote: RemoteClient, { key, target, encoding, arguments: bytes }: RetainFrame): void {
		const { retained } = remote;
		// One that is known keeps its place: a master stands before what is inside it.
		if (!retained.has(key) && retained.size >= MAX_RETAINED_PER_CLIENT) return;
		if (bytes.length > MAX_RETAINED_BYTES) return;
		const call = {
			...{ type: MessageType.Invocation, encoding, target, arguments: Buffer.from(bytes) },
			...{ invocationId: undefined, streamIds: undefined, headers: undefined },
		} as const;
		retained.set(key, call);
		// Another proxy may hold the client: we can go away as well.
		const { connection } = remote.client;
		if (!connection.isRetaining) return;
		const message = decodeRawMessage(call);
		if (message.type === MessageType.Invocation) connection.retain(key, message);
	}
}

const PROTOCOLS: ReadonlyMap<string, HubProtocol> = new Map(
	[jsonProtocol, messagePackProtocol].map((protocol) => [protocol.name, protocol]),
);

/** A message that the app server has written: its bytes go out as they are. */
function written(
	{ type, invocationId }: Pick<Unread, "type" | "invocationId">,
	encodings: readonly Encoding[],
	state: StateMark | undefined,
): PreparedMessage {
	return PreparedMessage.encodings({ type, invocationId, encodings, decode: () => decode(encodings) }, state);
}

/** Needed only where a client speaks a protocol that the app server has not written for. */
function decode([encoding]: readonly Encoding[]): HubMessage {
	const protocol = PROTOCOLS.get(encoding?.protocolName ?? "");
	if (encoding && protocol) return decodeRecord(protocol, encoding.bytes);
	throw new TypeError("A record of the app server's is in no protocol that is known.");
}

function* without(remotes: Iterable<RemoteClient>, except: readonly number[]): Iterable<RemoteClient> {
	const left = new Set(except);
	for (const remote of remotes) if (!left.has(remote.number)) yield remote;
}
