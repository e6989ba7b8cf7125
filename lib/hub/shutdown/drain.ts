import { type Clock, deferred, type Log, settledWithin } from "../../base/index.js";
import type { ClientConnection } from "../clients/client-connection.js";
import { type Deadline, SHUTDOWN_GRACE_MS } from "./deadline.js";

/** Until when clients may take, and who is told of those that do not make it. */
export interface DrainTerms {
	readonly deadline: Deadline;
	/** Resolves when no method runs any more, also none of clients that are gone. */
	idle(): Promise<void>;
	/** Over how long clients are sent away, evenly. */
	readonly spreadMs: number;
	readonly clock: Clock;
	readonly log: Log;
}

/** How often some of those that are sent away evenly go, in milliseconds. */
const STEP_MS = 50;

/** Sends clients away, evenly over a time, in steps; the rest at once where the deadline comes before. */
async function spread(
	clients: readonly ClientConnection[],
	{ deadline, spreadMs, clock }: Pick<DrainTerms, "deadline" | "spreadMs" | "clock">,
): Promise<void> {
	const steps = Math.max(1, Math.min(clients.length, Math.floor(spreadMs / STEP_MS)));
	const gone: Promise<void>[] = [];
	for (let step = 0; step < steps; step++) {
		const [from, to] = [step, step + 1].map((at) => Math.floor((at * clients.length) / steps));
		gone.push(...clients.slice(from, to).map((client) => client.drain()));
		if (step + 1 < steps) await pause(clock, spreadMs / steps, deadline);
	}
	await Promise.all(gone);
}

async function pause(clock: Clock, ms: number, deadline: Deadline): Promise<void> {
	const over = deferred();
	const timer = clock.schedule(ms, () => over.resolve());
	await deadline.within(over.promise);
	timer.cancel();
}

/**
 * Ends clients with `allowReconnect`: each as soon as its calls are answered, all at the deadline. Their disconnected
 * listeners are waited for as long, and for {@link SHUTDOWN_GRACE_MS} more; methods of clients that are gone as long only.
 */
export async function drain(
	clients: readonly ClientConnection[],
	{ deadline, idle, spreadMs, clock, log }: DrainTerms,
): Promise<void> {
	const gone = spread(clients, { deadline, spreadMs, clock });
	if (await deadline.within(gone.then(idle))) return;
	const cut = clients.filter((client) => !client.isEnded);
	log.warn(
		{ clients: cut.length },
		"The time to close is over: methods or listeners that still run are left.",
	);
	for (const client of cut) client.close(undefined, true);
	if (await settledWithin(clock, SHUTDOWN_GRACE_MS, gone)) return;
	log.error({}, "Disconnected listeners have not settled; the hub is closed without them.");
}
