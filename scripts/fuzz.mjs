// npm run fuzz: builds what is stale, then sends mutated frames over every door of a hub (npm run fuzz -- --frames 20000).
import "./check-node.mjs";
import { runNode, script } from "./command.mjs";
import { prepareTestPrograms } from "./prepare.mjs";

await script(async () => {
	await prepareTestPrograms();
	return runNode("dist/test/fuzz/run.js", process.argv.slice(2));
});
