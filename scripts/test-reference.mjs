// npm run test:reference: the contract suite against a hub on the real ASP.NET Core and against ours. Parameters go to
// mocha (npm run test:reference -- --grep uploads).
import "./check-node.mjs";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ROOT, run, runNode, ScriptError, script } from "./command.mjs";
import { prepareTestPrograms } from "./prepare.mjs";

const SDK_MAJOR = 10;
const PROJECT = "test/reference/aspnet";
/** Where the project's Directory.Build.props puts it. */
const ASSEMBLY = "temp/reference/bin/ReferenceHub/release/ReferenceHub.dll";
const REPORTER = fileURLToPath(new URL("./reporter.mjs", import.meta.url));

/** Why the reference hub cannot be built here; undefined where it can. */
function obstacle() {
	const { error, stdout = "" } = spawnSync("dotnet", ["--list-sdks"], { encoding: "utf8" });
	if (error) return `there is no dotnet here (${error.code})`;
	const majors = stdout.split("\n").map((line) => Number.parseInt(line, 10));
	return majors.some((major) => major >= SDK_MAJOR) ? undefined : `there is no .NET SDK ${SDK_MAJOR} here`;
}

await script(async () => {
	const reason = obstacle();
	if (reason) {
		console.log(`trunkline: npm run test:reference is skipped: ${reason}`);
		return 0;
	}
	await prepareTestPrograms();
	// Build servers would go on running behind us.
	const build = ["build", PROJECT, "-c", "Release", "--nologo", "-v", "quiet", "--disable-build-servers"];
	const code = await run("dotnet", build);
	if (code !== 0) throw new ScriptError("the ASP.NET Core hub could not be built");
	const spec = "dist/test/reference/both.reference.js";
	const mocha = ["--no-config", "--enable-source-maps", "--forbid-only", "--reporter", REPORTER];
	const env = { ...process.env, REFERENCE_HUB: join(ROOT, ASSEMBLY) };
	return runNode("node_modules/mocha/bin/mocha.js", [...mocha, spec, ...process.argv.slice(2)], { env });
});
