// npm run chaos: a million messages through failing links, then while processes die; every message is looked for.
import { parseArgs } from "node:util";
import { tableOf } from "./books/table.js";
import { type ChaosResult, type ChaosSettings, failLinks, failProcesses } from "./chaos.js";

const USAGE =
	"npm run chaos [-- [--messages 1000000] [--faults 300] [--deaths 24] [--clients 120] [--proxies 3] [--seed 1]]";

function wholeNumber(name: string, text: string, least: number): number {
	const value = Number(text);
	if (Number.isSafeInteger(value) && value >= least) return value;
	throw new RangeError(`--${name} is a whole number of ${least} or more; found "${text}".`);
}

function settingsOf(parameters: readonly string[]): ChaosSettings {
	const { values } = parseArgs({
		args: [...parameters],
		options: {
			messages: { type: "string", default: "1000000" },
			faults: { type: "string", default: "300" },
			deaths: { type: "string", default: "24" },
			clients: { type: "string", default: "120" },
			proxies: { type: "string", default: "3" },
			seed: { type: "string", default: "1" },
		},
	});
	return {
		messages: wholeNumber("messages", values.messages, 1),
		faults: wholeNumber("faults", values.faults, 0),
		deaths: wholeNumber("deaths", values.deaths, 0),
		clients: wholeNumber("clients", values.clients, 1),
		proxies: wholeNumber("proxies", values.proxies, 1),
		seed: wholeNumber("seed", values.seed, 0),
	};
}

function show({ name, seconds, messages, done, found, complaints }: ChaosResult): void {
	console.log(`\n${name}: ${messages.toLocaleString("en")} messages in ${Math.round(seconds)} s`);
	console.log([...done].map(([what, times]) => `${times} × ${what}`).join(", "));
	console.log(tableOf(found));
	for (const complaint of complaints) console.log(`WRONG ${complaint}`);
}

function read(): ChaosSettings | undefined {
	try {
		return settingsOf(process.argv.slice(2));
	} catch (error) {
		console.error(`trunkline chaos: ${(error as Error).message} Usage: ${USAGE}`);
		return undefined;
	}
}

const settings = read();
process.exitCode = 1;
if (settings) {
	const { seed, clients, proxies, deaths } = settings;
	console.log(`seed ${seed}: ${clients} clients, ${proxies} proxies`);
	let isGood = true;
	for (const part of deaths > 0 ? [failLinks, failProcesses] : [failLinks]) {
		const result = await part(settings);
		show(result);
		isGood &&= result.complaints.length === 0;
	}
	console.log(isGood ? "\nevery message is accounted for" : `\nsomething went wrong (seed ${seed})`);
	process.exitCode = isGood ? 0 : 1;
}
