// npm run fuzz: mutated frames over every door of a hub; says what it looked at, or what broke and how to see it again.
import { randomInt } from "node:crypto";
import { parseArgs } from "node:util";
import { DOORS } from "./doors/doors.js";
import { FuzzFailure, type FuzzSettings, fuzz } from "./fuzz.js";
import type { DoorResult } from "./report.js";

const FRAMES = 1_000_000;
const USAGE = `npm run fuzz [-- [--frames ${FRAMES}] [--seed 1] [--from 0] [--door ${DOORS.map(({ name }) => name).join(" | ")}]…]`;

function wholeNumber(name: string, text: string): number {
	const value = Number(text);
	if (Number.isSafeInteger(value) && value >= 0) return value;
	throw new FuzzFailure(`--${name} is a whole number; found "${text}". Usage: ${USAGE}`);
}

function settingsOf(parameters: readonly string[]): FuzzSettings {
	const { values } = parse(parameters);
	const unknown = values.door?.find((name) => !DOORS.some((door) => door.name === name));
	if (unknown !== undefined) throw new FuzzFailure(`unknown door "${unknown}". Usage: ${USAGE}`);
	return {
		seed: values.seed === undefined ? randomInt(2 ** 32) : wholeNumber("seed", values.seed),
		frames: wholeNumber("frames", values.frames ?? String(FRAMES)),
		from: wholeNumber("from", values.from ?? "0"),
		doors: values.door ? DOORS.filter(({ name }) => values.door?.includes(name)) : DOORS,
	};
}

function parse(parameters: readonly string[]) {
	try {
		return parseArgs({
			args: [...parameters],
			options: {
				frames: { type: "string" },
				seed: { type: "string" },
				from: { type: "string" },
				door: { type: "string", multiple: true },
			},
		});
	} catch (error) {
		throw new FuzzFailure(`${(error as Error).message} Usage: ${USAGE}`);
	}
}

function line({ door, frames, connections, held, seconds, witnessed, heapBytes }: DoorResult): string {
	const rate = Math.round(frames / seconds);
	return (
		`${door.padEnd(12)} ${frames} frames in ${seconds.toFixed(1)} s (${rate} per second), ${connections} connections, ` +
		`${held} given up; the witness got ${witnessed} answers; heap ${heapBytes === undefined ? "-" : (heapBytes / 1024 / 1024).toFixed(1)} MiB`
	);
}

try {
	const settings = settingsOf(process.argv.slice(2));
	console.log(`seed ${settings.seed}`);
	await fuzz(settings, (result) => console.log(line(result)));
	console.log("nothing broke");
} catch (error) {
	if (!(error instanceof FuzzFailure)) throw error;
	console.error(`trunkline fuzz: ${error.message}`);
	process.exitCode = 1;
}
