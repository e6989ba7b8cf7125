// npm run bench: builds what is stale, then measures. Parameters go to the benchmark (npm run bench -- --quick echo).
import "./check-node.mjs";
import { runNode, script } from "./command.mjs";
import { prepareBench } from "./prepare.mjs";

await script(async () => {
	await prepareBench();
	return runNode("dist/bench/run.js", process.argv.slice(2));
});
