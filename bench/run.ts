// npm run bench: measures, prints, and with --write puts the tables into docs/benchmarks.md, beside those of other questions.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { BenchError, stopAll } from "./children.js";
import { compare } from "./competitors/comparison.js";
import { type Document, mergeDocuments, readDocument, writeDocument } from "./document.js";
import { echoTrials } from "./echo.js";
import { fanOutTrials } from "./fan-out.js";
import { HOW_MEMORY, IDLE_CASES, measureIdle } from "./idle.js";
import { measureLinks } from "./link.js";
import { loadAverage, machineLines, today } from "./machine.js";
import { measureNeighbours } from "./neighbours/question.js";
import { measureRecovery } from "./recover/question.js";
import { profileRelay } from "./relay/profile.js";
import { measureRelayedIdle, measureRelays } from "./relay/question.js";
import { idleTable, linkTable, markdown, trialTable } from "./report.js";
import { parseSettings, QUESTIONS, type Question, type Settings, type Sizes } from "./settings.js";
import { runTrials } from "./trial.js";

const OUTPUT = "docs/benchmarks.md";

const HOW = `Messages per CPU-second of the measured process (user and system time of all its threads; a message is one in and one out, or one
delivery): medians of all rounds, with the least and the most in parentheses. The rows of a table are measured in turn, round by round.
A figure counts only where the measured process was busy for 85% of the time that it had its core; else the note says which side was
full. "Others had its core" is work of somebody else on this machine. Compare ratios to the bare \`ws\` rows: absolute figures drift.
Every answer was counted, and none was missing.`;

type Say = (line: string) => void;

interface Section {
	readonly title: string;
	measure(sizes: Sizes, say: Say): Promise<string>;
}

const SECTIONS: Readonly<Record<Question, Section>> = {
	echo: {
		title: "Echo: 150-byte messages",
		measure: async (sizes, say) =>
			markdown(trialTable(await runTrials(echoTrials(sizes), sizes, say), "messages")),
	},
	"fan-out": {
		title: "Fan-out of 200-byte messages",
		measure: async (sizes, say) =>
			markdown(trialTable(await runTrials(fanOutTrials(sizes), sizes, say), "deliveries")),
	},
	link: {
		title: "Bytes on the links",
		measure: async (sizes) => markdown(linkTable(await measureLinks(sizes))),
	},
	relay: { title: "Relays: 150-byte messages", measure: measureRelays },
	"relay-idle": { title: "Idle clients over native links", measure: measureRelayedIdle },
	idle: {
		title: "Idle clients",
		measure: async (sizes, say) =>
			`${HOW_MEMORY}\n\n${markdown(idleTable(await measureIdle(IDLE_CASES, sizes, say)))}`,
	},
	recover: { title: "View models after their app server was killed", measure: measureRecovery },
	neighbours: { title: "Clients beside one that reads slowly, or floods", measure: measureNeighbours },
	"side-by-side": { title: "Side by side", measure: compare },
};

const PROFILE: Section = { title: "Where our proxy's time goes", measure: profileRelay };

function print(text: string): void {
	process.stdout.write(`${text}\n`);
}

function progress(line: string): void {
	if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${line}`);
}

async function run({ questions, sizes, mode, isWriting, isProfiling }: Settings): Promise<void> {
	const head = ["# Benchmarks", machineLines().join("\n"), HOW].join("\n\n");
	print(`${head}\n`);
	const sections = new Map<string, string>();
	const asked = questions.map((question) => async (): Promise<Answer> => {
		const { title, measure } = isProfiling ? PROFILE : SECTIONS[question];
		const when = `${today()}, ${mode} run; load average before: ${loadAverage()}.`;
		return { title, body: `${when}\n\n${await measure(sizes, progress)}` };
	});
	await inOrder(asked, sizes.questionsAtOnce, ({ title, body }) => {
		progress("");
		print(`## ${title}\n\n${body}\n`);
		sections.set(title, body);
	});
	if (isWriting) write({ head, sections });
}

interface Answer {
	readonly title: string;
	readonly body: string;
}

/** Asks so many at the same time, and shows answers in the order of their questions. @throws what the first question fails with, once no other is under way */
async function inOrder(
	asked: readonly (() => Promise<Answer>)[],
	atOnce: number,
	show: (answer: Answer) => void,
): Promise<void> {
	const left = [...asked.entries()];
	const answers: (Answer | undefined)[] = asked.map(() => undefined);
	let shown = 0;
	const askOn = async (): Promise<void> => {
		for (let next = left.shift(); next; next = left.shift()) {
			const [at, ask] = next;
			try {
				answers[at] = await ask();
			} catch (error) {
				left.length = 0;
				throw error;
			}
			for (let answer = answers[shown]; answer; answer = answers[++shown]) show(answer);
		}
	};
	const ends = await Promise.allSettled(Array.from({ length: atOnce }, askOn));
	for (const end of ends) if (end.status === "rejected") throw end.reason;
}

function write(measured: Document): void {
	const written = existsSync(OUTPUT) ? readFileSync(OUTPUT, "utf8") : "";
	const titles = QUESTIONS.map((question) => SECTIONS[question].title);
	writeFileSync(OUTPUT, writeDocument(mergeDocuments(readDocument(written), measured, titles)));
	print(`written to ${OUTPUT}`);
}

try {
	const settings = parseSettings(process.argv.slice(2));
	if (process.platform !== "linux") throw new BenchError("CPU time is read from /proc: Linux is needed.");
	await run(settings);
} catch (error) {
	if (!(error instanceof BenchError)) throw error;
	process.stderr.write(`trunkline bench: ${error.message}\n`);
	process.exitCode = 1;
} finally {
	await stopAll();
}
