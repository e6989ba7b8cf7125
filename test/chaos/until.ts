import { setTimeout as wait } from "node:timers/promises";

const POLL_MS = 10;
/** Longer than anything may take that is waited for. */
const MOST_MS = 60_000;

/** Waits until something holds; looks now and then. @throws Error where that takes a minute */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
	for (const start = performance.now(); !(await condition()); await wait(POLL_MS)) {
		if (performance.now() - start > MOST_MS) throw new Error(`Waited in vain until ${condition}`);
	}
}
