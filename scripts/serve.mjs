// npm run app-server, npm run proxy-server: one server, in this process.
import "./check-node.mjs";
import { fileURLToPath } from "node:url";
import { ScriptError, script } from "./command.mjs";
import { prepareServers } from "./prepare.mjs";

const SERVERS = ["app-server", "proxy-server"];

await script(async () => {
	const [, , name] = process.argv;
	if (!SERVERS.includes(name)) throw new ScriptError(`which server? One of ${SERVERS.join(", ")}`);
	await prepareServers();
	const program = new URL(`../dist/${name}/main.js`, import.meta.url);
	process.argv = [process.argv[0], fileURLToPath(program)];
	await import(program.href);
});
