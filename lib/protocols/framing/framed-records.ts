import type { HubProtocol } from "../hub-protocol.js";

/** Cuts bytes that are whole messages one after another into those of each, framing included. */
export function* framedRecords(protocol: HubProtocol, bytes: Buffer): Generator<Buffer, void> {
	const splitter = protocol.createSplitter(Number.POSITIVE_INFINITY);
	splitter.push(bytes);
	let at = 0;
	while (at < bytes.length && splitter.next()) {
		const end = bytes.length - splitter.pendingBytes;
		yield bytes.subarray(at, end);
		at = end;
	}
}
