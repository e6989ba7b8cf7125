// npm start: an app server and two proxies behind one front address.
import "./check-node.mjs";
import { script } from "./command.mjs";
import { prepareServers } from "./prepare.mjs";

await script(async () => {
	await prepareServers();
	const { start } = await import("../dist/proxy-server/start.js");
	return start();
});
