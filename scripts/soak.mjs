// npm run soak: builds what is stale, then thousands of clients that come, talk and die (npm run soak -- --seconds 20).
import "./check-node.mjs";
import { runNode, script } from "./command.mjs";
import { prepareTestPrograms } from "./prepare.mjs";

await script(async () => {
	await prepareTestPrograms();
	return runNode("dist/test/soak/run.js", process.argv.slice(2));
});
