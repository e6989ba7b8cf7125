import { TrunklineError } from "../errors/index.js";
import type { ClientMethods } from "./clients/client-proxy.js";
import type { MethodTable } from "./dispatch/method-types.js";
import { Hub } from "./hub.js";
import type { HubOptions } from "./options.js";

/** {@link HubOptions} and the methods that clients can call. */
export interface CreateHubOptions<
	Client extends object,
	Methods extends MethodTable<Client> = MethodTable<Client>,
> extends HubOptions {
	/** Only what stands here can be called; names are matched without regard to case. */
	readonly methods?: (Methods & MethodTable<Client>) | undefined;
}

/**
 * Makes a hub: `createHub<MyClient>()({ methods: { … } })`. It is curried because TypeScript cannot be given the
 * client's methods and infer the hub's.
 * @throws TrunklineError ERR_OPTION for a bad option or method name.
 */
export function createHub<Client extends object = ClientMethods>(): <
	Methods extends MethodTable<Client> = Record<never, never>,
>(
	options?: CreateHubOptions<Client, Methods>,
) => Hub<Client, Methods>;
export function createHub(
	...misplaced: readonly unknown[]
): (options?: CreateHubOptions<ClientMethods>) => Hub<ClientMethods> {
	// TypeScript says so too; in JavaScript it would be a function that is taken for a hub.
	if (misplaced.length > 0) {
		throw new TrunklineError(
			"ERR_OPTION",
			"createHub takes its options in a second call: createHub()({ … }).",
		);
	}
	return ({ methods, ...options } = {}) => new Hub(options, (methods ?? {}) as MethodTable<never>);
}
