// Imported first by every script: an old Node gets one clear line instead of a stack trace.
import { readFileSync } from "node:fs";

const { engines } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
const [major, minor] = engines.node.match(/\d+/g).map(Number);
const [ourMajor, ourMinor] = process.versions.node.split(".").map(Number);

if (ourMajor < major || (ourMajor === major && ourMinor < minor)) {
	console.error(
		`trunkline: Node ${major}.${minor} or later is needed; this is Node ${process.versions.node}.`,
	);
	process.exit(1);
}
