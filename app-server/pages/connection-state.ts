import { useSyncExternalStore } from "react";

/** `connecting` until the client says anything, then the names that the dotNetify client uses. */
export type ConnectionStateName =
	| "connecting"
	| "connected"
	| "disconnected"
	| "reconnecting"
	| "terminated"
	| "error";

let current: ConnectionStateName = "connecting";
const watchers = new Set<() => void>();

/** The page's `dotnetify.connectionStateHandler`. */
export function connectionChanged(state: string): void {
	current = state as ConnectionStateName;
	for (const watcher of watchers) watcher();
}

function watch(watcher: () => void): () => void {
	watchers.add(watcher);
	return () => watchers.delete(watcher);
}

/** The state of the connection to the hub; the component renders again when it changes. */
export function useConnectionState(): ConnectionStateName {
	return useSyncExternalStore(watch, () => current);
}
