import type { ClientMethods } from "./clients/client-proxy.js";
import type { HubMethods } from "./dispatch/method.js";
import { Hub } from "./hub.js";
import type { HubOptions } from "./options.js";

/** {@link HubOptions} and the methods that clients can call. */
export interface CreateHubOptions<Client extends object> extends HubOptions {
	/** Only what stands here can be called; names are matched without regard to case. */
	readonly methods?: HubMethods<Client> | undefined;
}

/**
 * Makes a hub: `createHub<MyClient>()({ methods: { … } })`. It is curried because TypeScript cannot be given the
 * client's methods and infer the hub's.
 * @throws TrunklineError ERR_OPTION for a bad option or method name.
 */
export function createHub<Client extends object = ClientMethods>(): (
	options?: CreateHubOptions<Client>,
) => Hub<Client> {
	return ({ methods = {}, ...options } = {}) => new Hub<Client>(options, methods as HubMethods<never>);
}
