import type { Instance } from "./instance.js";
import type { SharedView } from "./shared-views.js";

/** A view model that a client holds. */
export interface HeldView {
	readonly instance: Instance;
	/** Present where it is shared with other clients. */
	readonly shared: SharedView | undefined;
	/** False for a master that was made only because something inside it was requested. */
	isRequested: boolean;
}

/** Where a new view model belongs. */
export interface Place {
	readonly master: HeldView | undefined;
	readonly namespace: string | undefined;
	/** False for a master on the way: the arguments of the request are not its own. */
	readonly isLast: boolean;
}
