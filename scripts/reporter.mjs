// mocha's own report, and a last line that machines read.
import Mocha from "mocha";

/** Ends the report with "N passed, N failed", and what was skipped. */
export default class Reporter extends Mocha.reporters.Spec {
	epilogue() {
		super.epilogue();
		const { passes, failures, pending } = this.stats;
		console.log(`${passes} passed, ${failures} failed${pending > 0 ? `, ${pending} skipped` : ""}`);
	}
}
