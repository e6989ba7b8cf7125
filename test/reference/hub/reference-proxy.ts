import { type ForwardingOptions, useForwarding } from "../../../lib/forwarding/index.js";
import { createHub, createServer, type Hub, type HubExtension, type HubOptions } from "../../../lib/index.js";
import { authenticate, HUBS, type RunningHub } from "./reference-hub.js";

/** What the links of these tests prove themselves with. */
export const SECRET = "the secret of the contract's links";

/** An app server behind a proxy. */
export interface Behind {
	readonly url: string;
	readonly options?: ForwardingOptions;
}

/** Starts a proxy of the hubs, on a free port of 127.0.0.1: the first app server that takes a call gets it. */
export async function startProxy(
	behind: readonly Behind[],
	extension?: () => HubExtension,
): Promise<RunningHub> {
	const server = createServer();
	for (const [path, options] of Object.entries(HUBS)) {
		const hub = proxyHub(options);
		if (extension) hub.use(extension());
		for (const { url, options: more } of behind)
			hub.use(useForwarding(url + path, { secret: SECRET, connectionPoolSize: 2, ...more }));
		server.map(path, hub);
	}
	const { url } = await server.listen(0, "127.0.0.1");
	return { url, close: () => server.close() };
}

/** The proxy holds the clients' connections; how many calls run at a time is the app server's business. */
function proxyHub({ maximumParallelInvocations: _, ...options }: HubOptions): Hub {
	return createHub()({ ...options, authenticate, methods: {} });
}
