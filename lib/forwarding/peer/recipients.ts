import type { ClientConnection, PreparedMessage } from "../../hub/index.js";
import { jsonProtocol, messagePackProtocol } from "../../protocols/index.js";
import type { ClientSelection, EncodedRecord } from "../wire/index.js";
import { FrameWire } from "./frame-wire.js";

/** Whether a wire leads to a proxy that still holds its client. */
export function isOpen(wire: unknown): wire is FrameWire {
	return wire instanceof FrameWire && !wire.isClosed;
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
		encoding: protocol === jsonProtocol ? "json" : "messagepack",
		record: message.bytesFor(protocol),
	}));
}
