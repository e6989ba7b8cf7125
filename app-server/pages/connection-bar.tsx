import type { ConnectionState } from "../view-models/contracts.js";
import { type ConnectionStateName, useConnectionState } from "./connection-state.js";
import { useViewModel } from "./use-view-model.js";

const NOTHING_YET: ConnectionState = { ConnectedThrough: [], AppServer: "" };

const WORDS: Readonly<Record<ConnectionStateName, string>> = {
	connecting: "connecting…",
	connected: "connected",
	disconnected: "disconnected, trying again soon",
	reconnecting: "reconnecting…",
	terminated: "disconnected for good; reload the page",
	error: "an error occurred",
};

function pathOf({ ConnectedThrough, AppServer }: ConnectionState): string {
	const server = AppServer ? ` to app server ${AppServer}` : "";
	if (ConnectedThrough.length === 0) return `directly${server}`;
	const word = ConnectedThrough.length === 1 ? "proxy" : "proxies";
	return `through ${word} ${ConnectedThrough.join(", then ")}${server}`;
}

/** Says whether the page is connected, and which way its messages go. */
export function ConnectionBar() {
	const connection = useConnectionState();
	const { state, ready } = useViewModel("Connection", NOTHING_YET);
	return (
		<p className={`connection ${connection}`} role="status" data-state={connection}>
			<span className="dot" aria-hidden="true" />
			<span>
				<strong>{WORDS[connection] ?? connection}</strong>
				{ready && <span data-testid="connected-through"> {pathOf(state)}</span>}
			</span>
		</p>
	);
}
