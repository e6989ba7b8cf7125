// mocha's own report, and a last line that machines read.
import Mocha from "mocha";

/** How long a run that failed may take to end by itself, in milliseconds. */
const END_TIMEOUT_MS = 5_000;

/** Ends the report with "N passed, N failed", and what was skipped. */
export default class Reporter extends Mocha.reporters.Spec {
	epilogue() {
		super.epilogue();
		const { passes, failures, pending } = this.stats;
		console.log(`${passes} passed, ${failures} failed${pending > 0 ? `, ${pending} skipped` : ""}`);
		// What a failed test left open must not keep the run alive; what a passed one left open must show.
		if (failures > 0) setTimeout(() => process.exit(1), END_TIMEOUT_MS).unref();
	}
}
