// npm run chaos: builds what is stale, then a million messages while links and processes fail (npm run chaos -- --messages 50000).
import "./check-node.mjs";
import { runNode, script } from "./command.mjs";
import { prepareTestPrograms } from "./prepare.mjs";

await script(async () => {
	await prepareTestPrograms();
	return runNode("dist/test/chaos/run.js", process.argv.slice(2));
});
