import type { InvocationContext } from "../hub/index.js";
import { vmIdRootType } from "../protocols/index.js";

/** Decides whether a call is forwarded. */
export type ForwardingFilter = (ctx: InvocationContext) => boolean;

/**
 * Takes the calls about these view models by their root: `forViewModels("chatroom")` takes `chatroom`,
 * `chatroom.List` and `chatroom$7`, as they belong together.
 */
export function forViewModels(...roots: readonly string[]): ForwardingFilter {
	const wanted = new Set(roots);
	return ({ vmId }) => vmId !== undefined && wanted.has(vmIdRootType(vmId));
}

/** Takes the calls about these view-model ids, compared exactly. */
export function forVmIds(...vmIds: readonly string[]): ForwardingFilter {
	const wanted = new Set(vmIds);
	return ({ vmId }) => vmId !== undefined && wanted.has(vmId);
}
