import type { SessionEnd } from "../session/index.js";
import { FrameReader } from "../wire/index.js";

/**
 * Messages that may not have reached a proxy whose session is over: the client that each was for, undefined where it was
 * for several.
 */
export function* lostIn({ unconfirmed, unsent }: SessionEnd): Iterable<number | undefined> {
	const reader = new FrameReader("app");
	for (const frames of [...unconfirmed, ...unsent]) {
		for (const frame of reader.read(frames)) {
			if (frame.type === "record") yield frame.client;
			else if (frame.type === "send") yield undefined;
		}
	}
}
