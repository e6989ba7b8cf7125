// npm test: installs, builds anew, runs mocha. Parameters go to mocha (npm test -- --grep front).
import "./check-node.mjs";
import { fileURLToPath } from "node:url";
import { runNode, script } from "./command.mjs";
import { prepareTests } from "./prepare.mjs";

const REPORTER = fileURLToPath(new URL("./reporter.mjs", import.meta.url));

await script(async () => {
	try {
		await prepareTests();
	} catch (error) {
		process.once("exit", () => console.log("0 passed, 1 failed"));
		throw error;
	}
	return runNode("node_modules/mocha/bin/mocha.js", ["--reporter", REPORTER, ...process.argv.slice(2)]);
});
