import type { Clock, Log } from "../../base/index.js";
import type { ClientConnection } from "../clients/client-connection.js";
import { settledWithin } from "../listeners.js";
import { type Deadline, SHUTDOWN_GRACE_MS } from "./deadline.js";

/** Until when clients may take, and who is told of those that do not make it. */
export interface DrainTerms {
	readonly deadline: Deadline;
	/** Resolves when no method runs any more, also none of clients that are gone. */
	readonly idle: Promise<void>;
	readonly clock: Clock;
	readonly log: Log;
}

/**
 * Ends clients with `allowReconnect`: each as soon as its calls are answered, all at the deadline. Their disconnected
 * listeners are waited for as long, and for {@link SHUTDOWN_GRACE_MS} more; methods of clients that are gone as long only.
 */
export async function drain(
	clients: readonly ClientConnection[],
	{ deadline, idle, clock, log }: DrainTerms,
): Promise<void> {
	const gone = Promise.all(clients.map((client) => client.drain()));
	if (await deadline.within(Promise.all([gone, idle]))) return;
	const cut = clients.filter((client) => !client.isEnded);
	log.warn(
		{ clients: cut.length },
		"The time to close is over: methods or listeners that still run are left.",
	);
	for (const client of cut) client.close(undefined, true);
	if (await settledWithin(clock, SHUTDOWN_GRACE_MS, gone)) return;
	log.error({}, "Disconnected listeners have not settled; the hub is closed without them.");
}
