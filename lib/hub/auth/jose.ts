let loaded: Promise<typeof import("jose")> | undefined;

/** The package `jose`, loaded at the first token: most hubs have no use for it, and it is not small. */
export function loadJose(): Promise<typeof import("jose")> {
	loaded ??= import("jose");
	return loaded;
}
