// npm run soak: thousands of clients that come, work and die; afterwards nothing of them may be left.
import { parseArgs } from "node:util";
import { isFine, table } from "./report.js";
import { soak } from "./soak.js";

const USAGE = "npm run soak [-- [--clients 5000] [--seconds 120] [--warm-up 30]]";

function wholeNumber(name: string, text: string): number {
	const value = Number(text);
	if (Number.isSafeInteger(value) && value > 0) return value;
	throw new RangeError(`--${name} is a whole number above 0; found "${text}".`);
}

function settingsOf(parameters: readonly string[]) {
	const { values } = parseArgs({
		args: [...parameters],
		options: {
			clients: { type: "string", default: "5000" },
			seconds: { type: "string", default: "120" },
			"warm-up": { type: "string", default: "30" },
		},
	});
	return {
		clients: wholeNumber("clients", values.clients),
		seconds: wholeNumber("seconds", values.seconds),
		warmUpSeconds: wholeNumber("warm-up", values["warm-up"]),
	};
}

function counts(title: string, of: Readonly<Record<string, number>>): string {
	const parts = Object.entries(of).map(([name, count]) => `${name} ${count}`);
	return `${title}: ${parts.join(", ")}`;
}

function read(): ReturnType<typeof settingsOf> | undefined {
	try {
		return settingsOf(process.argv.slice(2));
	} catch (error) {
		console.error(`trunkline soak: ${(error as Error).message} Usage: ${USAGE}`);
		return undefined;
	}
}

const settings = read();
if (settings) {
	const { findings, lives } = await soak(settings, console.log);
	console.log(`\n${table(findings)}\n`);
	console.log(counts("connections", lives.connections));
	console.log(counts("ends", lives.ends));
	console.log(counts("answered as they should be", lives.work));
	for (const [text, count] of Object.entries(lives.notLetIn)) console.log(`not let in: ${count} × ${text}`);
	for (const [text, count] of Object.entries(lives.faults)) console.log(`FAULT ${count} × ${text}`);
	const isGood = isFine(findings, lives);
	console.log(isGood ? "nothing is left" : "something is left, or went wrong");
	process.exitCode = isGood ? 0 : 1;
} else {
	process.exitCode = 1;
}
