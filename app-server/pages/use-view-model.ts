import { useConnect } from "dotnetify";
import { useCallback, useState } from "react";
import { useConnectionState } from "./connection-state.js";

/** What a page needs of a view model on the server. */
export interface ViewModelHandle<State> {
	readonly state: State;
	/** False until the server's state is here, again after each loss of the connection: what is dispatched then is lost. */
	readonly ready: boolean;
	/** The text of the view model's last exception, until the next dispatch. */
	readonly error: string | undefined;
	/** Sends values and commands to the view model: `{ Name: value }`. */
	dispatch(values: Readonly<Record<string, unknown>>): void;
	/** Changes the state in this page only, so that a field shows what is typed before the server answers. */
	show(values: Partial<State>): void;
}

/**
 * Connects to a view model for as long as the component is mounted.
 *
 * `initial` must be the same object at each call: being another object is how the server's state is told from it.
 */
export function useViewModel<State extends object>(vmId: string, initial: State): ViewModelHandle<State> {
	const [error, setError] = useState<string>();
	const connection = useConnectionState();
	const { vm, state, setState } = useConnect<State>(vmId, initial, {
		exceptionHandler: (exception) => setError(exception.message),
	});
	const [stale, setStale] = useState(initial);
	if (connection !== "connected" && stale !== state) setStale(state);
	const dispatch = useCallback(
		(values: Readonly<Record<string, unknown>>) => {
			setError(undefined);
			vm?.$dispatch(values);
		},
		[vm],
	);
	return {
		state,
		ready: connection === "connected" && state !== stale,
		error,
		dispatch,
		show: setState,
	};
}
