import { countOption } from "../base/index.js";

/** View models that one client may hold. */
export const DEFAULT_MAX_VIEW_MODELS_PER_CONNECTION = 100;
/** Longest view-model id, in characters. */
export const DEFAULT_MAX_VM_ID_LENGTH = 256;
/** Largest `$headers` of one client as JSON, in characters. */
export const DEFAULT_MAX_HEADERS_LENGTH = 16_384;
/** List changes of one view model that wait for a push. */
export const DEFAULT_MAX_QUEUED_LIST_CHANGES = 1_000;

/** What one client can make the server hold. */
export interface ViewModelLimitOptions {
	/**
	 * View models that one client may hold, masters included; more are refused. Too low, and pages with many parts
	 * break; too high, and one client can fill the memory. @defaultValue 100
	 */
	readonly maxViewModelsPerConnection?: number | undefined;
	/** Longest view-model id; longer ones are refused. @defaultValue 256 characters */
	readonly maxVmIdLength?: number | undefined;
	/** Largest `$headers` as JSON; larger ones are refused. Leave room for tokens. @defaultValue 16_384 characters */
	readonly maxHeadersLength?: number | undefined;
	/** List changes that wait for a push; with one more the whole list is sent instead. @defaultValue 1_000 */
	readonly maxQueuedListChanges?: number | undefined;
}

/** {@link ViewModelLimitOptions} with every default applied. */
export type ViewModelLimits = { readonly [Name in keyof ViewModelLimitOptions]-?: number };

/**
 * Checks the limits and applies the defaults.
 * @throws TrunklineError ERR_OPTION for a limit that is no whole number of at least 1.
 */
export function resolveViewModelLimits(options: ViewModelLimitOptions): ViewModelLimits {
	const limit = (name: keyof ViewModelLimitOptions, byDefault: number): number =>
		countOption(name, options[name], byDefault);
	return Object.freeze({
		maxViewModelsPerConnection: limit("maxViewModelsPerConnection", DEFAULT_MAX_VIEW_MODELS_PER_CONNECTION),
		maxVmIdLength: limit("maxVmIdLength", DEFAULT_MAX_VM_ID_LENGTH),
		maxHeadersLength: limit("maxHeadersLength", DEFAULT_MAX_HEADERS_LENGTH),
		maxQueuedListChanges: limit("maxQueuedListChanges", DEFAULT_MAX_QUEUED_LIST_CHANGES),
	});
}
