import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { createHub } from "../lib/index.js";

const run = promisify(execFile);

const PAGES = [
	"hubs.md",
	"metrics.md",
	"forwarding.md",
	"authentication.md",
	"load-balancers.md",
	"view-models.md",
	"migrating-from-aspnet-core.md",
];

/** What examples without imports go on from. */
const GIVEN = `import { createHub, createServer, HubException } from "trunkline";
interface Client { received(user: string, text: string): void; confirm(text: string): boolean }
const hub = createHub<Client>()();
const server = createServer().map("/chat", hub);
declare const connectionId: string;
`;

/** The same for the page on view models. */
const GIVEN_VIEW_MODELS = `import { RoutableViewModel, ViewModel, type ViewModelClient } from "trunkline/dotnetify";
interface Employee { Id: number; Name: string }
declare function openDatabase(): { all(): Promise<Employee[]>; insert(name: string): Promise<Employee> };
declare function isExpired(token: unknown): boolean;
`;

const TSCONFIG = {
	extends: "../../tsconfig.base.json",
	compilerOptions: {
		...{ composite: false, declarationMap: false, noEmit: true },
		...{ noUnusedLocals: false, noUnusedParameters: false },
	},
	include: ["*.ts"],
};

const textOf = (page: string): string => readFileSync(join("docs", page), "utf8");

function examplesOf(page: string): string[] {
	const found = [...textOf(page).matchAll(/```ts\n([\s\S]*?)```/g)].map(([, code = ""]) => code);
	const given = page === "view-models.md" ? GIVEN_VIEW_MODELS : GIVEN;
	return found.map((code) => (/^import /m.test(code) ? code : `${given}${code}\nexport {};\n`));
}

/** Options as lib/hub/options.ts declares them: names and the texts of their defaults. */
function declaredOptions(): Map<string, string> {
	const [, body = ""] = readFileSync("lib/hub/options.ts", "utf8").split("export interface HubOptions");
	const members = [...body.matchAll(/\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\s*readonly (\w+)\?:/g)];
	return new Map(
		members.map(([, comment = "", name = ""]) => {
			const [, byDefault = ""] = comment.replace(/\s*\n\s*\*/g, " ").split("@defaultValue");
			return [name, byDefault.replace("that of the transports,", "").trim()];
		}),
	);
}

function documentedOptions(): Map<string, string> {
	const [, table = ""] = textOf("hubs.md").split("\n## Options\n");
	const rows = [...table.matchAll(/^\| `(\w+)` \| ([^|]*) \| [^|]+ \|$/gm)];
	return new Map(rows.map(([, name = "", byDefault = ""]) => [name, byDefault]));
}

describe("docs", function () {
	this.timeout(60_000);
	const folder = join(process.cwd(), "temp", `docs-${process.pid}`);
	after(() => rmSync(folder, { recursive: true, force: true }));

	it("have examples that compile as they stand", async () => {
		mkdirSync(folder, { recursive: true });
		writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(TSCONFIG));
		for (const page of PAGES) {
			const examples = examplesOf(page);
			for (const [at, code] of examples.entries()) {
				writeFileSync(join(folder, `${page.replace(".md", "")}-${at}.ts`), code);
			}
		}
		try {
			const tsc = join(process.cwd(), "node_modules/typescript/bin/tsc");
			await run(process.execPath, [tsc, "-p", join(folder, "tsconfig.json")]);
		} catch (failure) {
			assert.fail((failure as { stdout: string }).stdout);
		}
	});

	it("name every option of a hub with its default, in the order of lib/hub/options.ts", () => {
		const declared = declaredOptions();
		assert.ok(declared.size > 30);
		assert.deepEqual([...documentedOptions()], [...declared]);
	});

	it("have a row for every member of an observer, in the order of its declaration", () => {
		const [, body = ""] = readFileSync("lib/hub/observing/observer.ts", "utf8").split(
			"export interface HubObserver",
		);
		const members = [...body.matchAll(/^\t(\w+)\?\(facts/gm)].map(([, name]) => name);
		const [, table = ""] = textOf("metrics.md").split("## What an observer hears");
		const rows = [...table.matchAll(/^\| (`\w+`(?:, `\w+`)*) \| [^|]+ \| [^|]+ \|$/gm)];
		const named = rows.flatMap(([, names = ""]) => [...names.matchAll(/\w+/g)].map(([name]) => name));
		assert.ok(members.length > 15);
		assert.deepEqual(named, members);
	});

	it("give the defaults in numbers that hubs have", () => {
		const { options } = createHub()();
		let compared = 0;
		for (const [name, value] of Object.entries(options)) {
			if (typeof value !== "number") continue;
			const documented = documentedOptions().get(name) ?? "";
			assert.equal(Number.parseInt(documented.replaceAll("_", ""), 10), value, name);
			compared++;
		}
		assert.ok(compared >= 10);
	});

	for (const page of ["hubs.md", "migrating-from-aspnet-core.md"]) {
		it(`have an entry in the contents for each section of ${page}`, () => {
			const text = textOf(page);
			const sections = [...text.matchAll(/^## (.+)$/gm)].map(([, title = ""]) => anchorOf(title));
			const [, contents = ""] = /^Contents: ([\s\S]*?)\n\n/m.exec(text) ?? [];
			const links = [...contents.matchAll(/\(#([a-z-]+)\)/g)].map(([, link]) => link);
			assert.deepEqual(links, sections);
		});
	}

	it("link to files and headings that exist", () => {
		for (const page of PAGES) {
			for (const [, file = "", heading] of textOf(page).matchAll(/\]\((?!https?:)([^)#]*)(?:#([^)]+))?\)/g)) {
				const text = textOf(file || page);
				const headings = [...text.matchAll(/^#+ (.+)$/gm)].map(([, title = ""]) => anchorOf(title));
				if (heading !== undefined) assert.ok(headings.includes(heading), `${page}: ${file}#${heading}`);
			}
		}
	});
});

function anchorOf(title: string): string {
	return title
		.toLowerCase()
		.replaceAll(/[^\w\- ]/g, "")
		.replaceAll(" ", "-");
}
