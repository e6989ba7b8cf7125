import type { Clock } from "./clock.js";
import { deferred } from "./deferred.js";

/** Waits until `work` has settled, however it did, but no longer than `ms`; tells whether it has. Never rejects. */
export async function settledWithin(clock: Clock, ms: number, work: Promise<unknown>): Promise<boolean> {
	const outcome = deferred<boolean>();
	const timer = clock.schedule(ms, () => outcome.resolve(false));
	const settled = (): void => outcome.resolve(true);
	work.then(settled, settled);
	const isSettled = await outcome.promise;
	timer.cancel();
	return isSettled;
}
