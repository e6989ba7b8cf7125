import { NEW_SESSION_FEATURE, NO_SESSION } from "../../../lib/forwarding/link/link-greeting.js";
import {
	type Frame,
	FrameWriter,
	type Hello,
	writeDataSegment,
	writeHelloSegment,
} from "../../../lib/forwarding/wire/index.js";
import { writeMessagePack } from "../../../lib/protocols/index.js";

/** What a played end grants. */
export const WINDOW = 8 * 1024 * 1024;

/** A HELLO of an end that nobody knows yet. */
export function helloOf(role: Hello["role"], fields: Partial<Hello> = {}): Buffer {
	return writeHelloSegment({
		...{ versions: [1, 1], role, instance: Buffer.alloc(16, role), link: 0, incarnation: 1 },
		session: role === "app" ? NO_SESSION : Buffer.alloc(16, 7),
		...{ delivered: 0, window: WINDOW, features: role === "app" ? [] : [NEW_SESSION_FEATURE] },
		...fields,
	});
}

/** A DATA segment; `delivered`: the last of the peer's that was handed on here. */
export function dataOf(frames: Buffer, seq = 1, delivered = 0): Buffer {
	return writeDataSegment({ seq, acks: { links: [], delivered, window: WINDOW }, frames });
}

/** Frames as they stand in a segment. */
export function bytesOf(...frames: Frame[]): Buffer {
	const writer = new FrameWriter();
	for (const frame of frames) writer.write(frame);
	return Buffer.concat(writer.take());
}

/** An OPEN of a client that nobody had before. */
export function opening(client: number, connectionId: string): Frame {
	const request = {
		...{ url: "/dotnetify", headers: {}, ip: "203.0.113.7", ips: [], remotePort: 1, localAddress: "::1" },
		...{ localPort: 2, secure: false, host: "example.com" },
	};
	const context = writeMessagePack({ connectionId, protocol: "json", ids: "u1.", request });
	return { type: "open", client, recovered: false, migrated: false, context };
}
