import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
const root = process.cwd();

/** What a server project publishes for its clients. */
const SERVER = `
import { createHub, method } from "trunkline";

export interface ChatClient {
	received(user: string, text: string): void;
	confirm(text: string): boolean;
}

export const chat = createHub<ChatClient>()({
	methods: {
		send: (ctx, user: string, text: string) => ctx.clients.all.send("received", user, text),
		async *countdown(_ctx, from: number) {
			while (from > 0) yield from--;
		},
		sum: method({ streams: 1 }, async (_ctx, numbers: AsyncIterable<number>) => {
			let sum = 0;
			for await (const number of numbers) sum += number;
			return sum;
		}),
		seat: (_ctx, options: { row?: number }) => options.row ?? 1,
	},
});
`;

/** What a browser project makes of it. */
const BROWSER = `
import type { HubMethods } from "trunkline";
import type { ChatClient, chat } from "./server/chat.js";

type Chat = HubMethods<typeof chat>;

export interface Connection {
	invoke(name: string, ...args: unknown[]): Promise<unknown>;
}

export function caller(connection: Connection) {
	return <Name extends keyof Chat>(name: Name, ...args: Parameters<Chat[Name]>): ReturnType<Chat[Name]> =>
		connection.invoke(name, ...args) as ReturnType<Chat[Name]>;
}

export async function use(connection: Connection, list: HTMLElement): Promise<number> {
	const call = caller(connection);
	await call("send", "ann", "hi");
	const row: number = await call("seat", {});
	call("countdown", 3).subscribe({ next: (left) => list.append(left.toFixed()), error() {}, complete() {} });
	// @ts-expect-error: a text is no number
	call("countdown", "3");
	// @ts-expect-error: a method that the hub has not
	call("nope");
	// @ts-expect-error: absent is not undefined
	await call("seat", { row: undefined });
	return row;
}

export const handlers: ChatClient = { received: (user) => user.trim(), confirm: (text) => confirm(text) };
`;

/** Where Node's types cannot be found, they are not needed either. */
const WITHOUT_NODE = `
// @ts-expect-error: no type of Node's has come along
process.exit();
// @ts-expect-error: nor this one
export type Bytes = Buffer;
`;

const STRICT = {
	target: "es2023",
	module: "nodenext",
	strict: true,
	exactOptionalPropertyTypes: true,
	noUncheckedIndexedAccess: true,
	noPropertyAccessFromIndexSignature: true,
	verbatimModuleSyntax: true,
};

/** Compiles a folder of sources; fails with what the compiler says. */
async function compile(folder: string, compilerOptions: object): Promise<void> {
	const config = join(folder, "tsconfig.json");
	writeFileSync(config, JSON.stringify({ compilerOptions, include: ["*.ts"] }));
	try {
		await run(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "-p", config]);
	} catch (failure) {
		assert.fail((failure as { stdout: string }).stdout);
	}
}

describe("declarations", function () {
	this.timeout(60_000);
	const server = join(root, "temp", `declarations-${process.pid}`);
	// Out of reach of this repository's packages: nothing but Trunkline can be found from here.
	const browser = mkdtempSync(join(tmpdir(), "trunkline-browser-"));

	before(function () {
		writeFileSync(join(browser, "package.json"), '{ "type": "module" }');
		if (!existsSync("dist/lib/index.d.ts")) {
			console.log("      skipped: nothing is built (npm test builds first)");
			this.skip();
		}
		mkdirSync(server, { recursive: true });
	});

	after(() => {
		for (const folder of [server, browser]) rmSync(folder, { recursive: true, force: true });
	});

	it("are checked whole by a strict project, with exactOptionalPropertyTypes", async () => {
		const entries = ["trunkline", "trunkline/dotnetify", "trunkline/forwarding"];
		writeFileSync(
			join(server, "entries.ts"),
			entries.map((entry, at) => `export * as entry${at} from "${entry}";`).join("\n"),
		);
		const own = { lib: ["es2023"], types: ["node"], skipLibCheck: false, noEmit: true };
		await compile(server, { ...STRICT, ...own });
	});

	for (const isAlone of [true, false]) {
		const which = isAlone ? "that has no types of Node's" : "into which dependencies bring Node's types";
		it(`give a browser project a hub's methods, one ${which}`, async () => {
			writeFileSync(join(server, "chat.ts"), SERVER);
			const declared = { declaration: true, emitDeclarationOnly: true, outDir: join(browser, "server") };
			await compile(server, { ...STRICT, lib: ["es2023"], types: ["node"], ...declared });
			install(isAlone);
			writeFileSync(join(browser, "main.ts"), isAlone ? BROWSER + WITHOUT_NODE : BROWSER);
			const own = { lib: ["es2023", "dom"], types: [], skipLibCheck: true, noEmit: true };
			await compile(browser, { ...STRICT, ...own, preserveSymlinks: isAlone });
		});
	}

	/** Puts Trunkline into the browser project: alone, or with all that it depends on. */
	function install(isAlone: boolean): void {
		const place = join(browser, "node_modules/trunkline");
		rmSync(place, { recursive: true, force: true });
		mkdirSync(join(browser, "node_modules"), { recursive: true });
		if (!isAlone) {
			symlinkSync(root, place, "dir");
			return;
		}
		mkdirSync(place);
		for (const name of ["dist", "package.json"]) symlinkSync(join(root, name), join(place, name));
	}
});
