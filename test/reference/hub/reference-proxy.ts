import { acceptLinks, type ForwardingOptions, useForwarding } from "../../../lib/forwarding/index.js";
import { createHub, type HubExtension } from "../../../lib/index.js";
import { addressingMethods, askingMethods } from "./methods.js";
import { authenticate, type RunningHub, startHubs } from "./reference-hub.js";

const SECRET = "the secret of the contract's links";

/** Takes the links of these proxies. */
export const links = (): HubExtension => acceptLinks({ secrets: [SECRET] });

/** An app server behind a proxy. */
export interface Behind {
	readonly url: string;
	readonly options?: ForwardingOptions;
}

/**
 * Starts a proxy of all hubs: the first app server that takes a call gets it. The proxy has the clients' connections, and
 * no methods; how many calls run at a time is the app server's business.
 */
export async function startProxy(
	behind: readonly Behind[],
	extension?: () => HubExtension,
): Promise<RunningHub> {
	return startHubs(({ maximumParallelInvocations: _, ...options }, path) => {
		const hub = createHub()({ ...options, authenticate, methods: {} });
		if (extension) hub.use(extension());
		for (const { url, options: more } of behind)
			hub.use(useForwarding(url + path, { secret: SECRET, connectionPoolSize: 2, ...more }));
		return hub;
	});
}

/** Begins the names of the other hub's methods, whatever their case. */
export const OTHER = "other";

/** Starts another app server, with methods of the reference hub under names of its own. */
export async function startOtherHub(): Promise<RunningHub> {
	const methods = Object.fromEntries(
		Object.entries({ ...askingMethods, ...addressingMethods }).map(([name, method]) => [
			OTHER + name,
			method,
		]),
	);
	return startHubs(() => createHub()({ methods }).use(links()));
}
