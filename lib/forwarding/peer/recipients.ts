import type { ClientConnection, PreparedMessage } from "../../hub/index.js";
import { encodingOf, jsonProtocol, messagePackProtocol } from "../../protocols/index.js";
import type { ClientSelection, EncodedRecord } from "../wire/index.js";
import { FrameWire } from "./frame-wire.js";

/** Whether a wire leads to a proxy that still holds its client. */
export function isOpen(wire: unknown): wire is FrameWire {
	return wire instanceof FrameWire && !wire.isClosed;
}

/** Those who are to get a message now: state is left out for who is behind, and for all when there is no room. */
export function takersOf(
	members: readonly ClientConnection[],
	message: PreparedMessage,
	isFull: boolean,
): readonly ClientConnection[] {
	if (message.delivery.kind === "event") return members;
	if (!isFull && !members.some(({ isBehind }) => isBehind)) return members;
	return members.filter((member) => !member.keepsBack(message));
}

/** Just these clients. */
export function numbersOf(members: readonly ClientConnection[]): ClientSelection {
	return { kind: "clients", clients: members.flatMap(({ wire }) => (isOpen(wire) ? wire.number : [])) };
}

/** The message in each protocol that the members speak: the proxy copies bytes. */
export function recordsFor(members: readonly ClientConnection[], message: PreparedMessage): EncodedRecord[] {
	const isSpoken = (name: string): boolean => members.some(({ protocolName }) => protocolName === name);
	const protocols = [jsonProtocol, messagePackProtocol].filter(({ name }) => isSpoken(name));
	return protocols.map((protocol) => ({
		encoding: encodingOf(protocol.name),
		record: message.bytesFor(protocol),
	}));
}
