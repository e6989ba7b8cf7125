import type { HelloWorldState } from "../../view-models/contracts.js";
import { useViewModel } from "../use-view-model.js";
import { Problem, TextField } from "./fields.js";

const NOTHING_YET: HelloWorldState = { FirstName: "", LastName: "", Greetings: "", ServerTime: "" };

/** Two-way binding with the `HelloWorld` view model. */
export function HelloWorld() {
	const { state, ready, error, dispatch, show } = useViewModel("HelloWorld", NOTHING_YET);
	const bind = (name: "FirstName" | "LastName") => (value: string) => {
		show({ [name]: value });
		dispatch({ [name]: value });
	};
	return (
		<section aria-label="Greeting">
			<div className="row">
				<TextField
					label="First name"
					value={state.FirstName}
					disabled={!ready}
					onChange={bind("FirstName")}
				/>
				<TextField label="Last name" value={state.LastName} disabled={!ready} onChange={bind("LastName")} />
			</div>
			<p className="greetings" aria-live="polite" data-testid="greetings">
				{state.Greetings}
			</p>
			<p>
				Server time: <time dateTime={state.ServerTime}>{timeOf(state.ServerTime)}</time>
			</p>
			<Problem text={error} />
		</section>
	);
}

function timeOf(iso: string): string {
	return iso === "" ? "–" : new Date(iso).toLocaleTimeString();
}
