import { forgetFrame } from "../frames/frame-writer.js";

/** Something that gathers output during a turn of the event loop. */
export interface Flushable {
	/** Writes what was gathered. Must not throw. */
	flush(): void;
}

let waiting: Flushable[] = [];

function flushAll(): void {
	const due = waiting;
	waiting = [];
	for (const flushable of due) flushable.flush();
	forgetFrame();
}

/**
 * Calls `flushable.flush()` once when the loop has handled all input that was ready (`setImmediate`), so that whatever
 * the messages of one poll, and the promises behind them, send to one client leaves in one write. `nextTick` would run
 * before the promise jobs of the same turn and split them. The caller asks once per turn.
 */
export function flushAtEndOfTurn(flushable: Flushable): void {
	if (waiting.push(flushable) === 1) setImmediate(flushAll);
}
