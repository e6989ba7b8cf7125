import type { Clock, Log } from "../../base/index.js";
import type { ClientConnection } from "../clients/client-connection.js";
import { settledWithin } from "../listeners.js";
import { type Deadline, SHUTDOWN_GRACE_MS } from "./deadline.js";

/** Until when clients may take, and who is told of those that do not make it. */
export interface DrainTerms {
	readonly deadline: Deadline;
	readonly clock: Clock;
	readonly log: Log;
}

/**
 * Ends clients with `allowReconnect`: each as soon as its calls are answered, all at the deadline. Their disconnected
 * listeners are waited for as long, and for {@link SHUTDOWN_GRACE_MS} more.
 */
export async function drain(
	clients: readonly ClientConnection[],
	{ deadline, clock, log }: DrainTerms,
): Promise<void> {
	const gone = Promise.all(clients.map((client) => client.drain()));
	if (await deadline.within(gone)) return;
	const cut = clients.filter((client) => !client.isEnded);
	if (cut.length > 0)
		log.warn(
			{ clients: cut.length },
			"Methods that still run lose their clients: the hub's time to close is over.",
		);
	for (const client of cut) client.close(undefined, true);
	if (await settledWithin(clock, SHUTDOWN_GRACE_MS, gone)) return;
	log.error({}, "Disconnected listeners have not settled; the hub is closed without them.");
}
