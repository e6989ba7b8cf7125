import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { type HubConnection, HubConnectionBuilder, LogLevel, Subject } from "@microsoft/signalr";
import { freePort } from "../proxy-server/children.js";
import { RunningExamples } from "./running-examples.js";

const run = promisify(execFile);
const SECRET = "a secret of the README's test";
const TSCONFIG = {
	extends: "../../tsconfig.base.json",
	compilerOptions: {
		composite: false,
		declarationMap: false,
		noEmit: true,
		noUnusedLocals: false,
		noUnusedParameters: false,
		noPropertyAccessFromIndexSignature: false,
	},
	include: ["*.ts"],
};

/** The TypeScript examples of the README, by the heading that they stand under. */
function examples(): Map<string, string> {
	const sections = readFileSync("README.md", "utf8").split(/^## /m);
	const found = sections.map((section) => [
		section.slice(0, section.indexOf("\n")),
		/```ts\n([\s\S]*?)```/.exec(section)?.[1] ?? "",
	]);
	return new Map(found.filter(([, code]) => code !== "") as [string, string][]);
}

describe("README", function () {
	this.timeout(60_000);
	let running: RunningExamples;
	let folder: string;

	before(() => {
		running = new RunningExamples("readme");
		folder = running.folder;
		writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(TSCONFIG));
		let number = 0;
		for (const code of examples().values()) writeFileSync(join(folder, `example-${++number}.ts`), code);
	});

	after(() => running.close());

	/** Runs an example on ports of its own; resolves when its server answers. */
	async function start(heading: string, ports: Record<string, number>): Promise<void> {
		let code = examples().get(heading) ?? "";
		for (const [written, port] of Object.entries(ports)) code = code.replaceAll(written, String(port));
		await running.start(heading.replaceAll(" ", "-"), code, { LINK_SECRET: SECRET });
	}

	it("has examples that compile as they stand", async () => {
		assert.ok(examples().size >= 5);
		const tsc = join(process.cwd(), "node_modules/typescript/bin/tsc");
		try {
			await run(process.execPath, [tsc, "-p", join(folder, "tsconfig.json")]);
		} catch (failure) {
			assert.fail((failure as { stdout: string }).stdout);
		}
	});

	it("has an app server and a proxy that work with the client", async () => {
		const [appPort, proxyPort] = [await freePort(0), await freePort(0)];
		await start("An app server", { 5001: appPort });
		await start("A proxy", { 5001: appPort, 5000: proxyPort });
		const connection = new HubConnectionBuilder()
			.withUrl(`http://127.0.0.1:${proxyPort}/dotnetify`)
			.configureLogging(LogLevel.Error)
			.build();
		const answers: unknown[] = [];
		const answered = new Promise<void>((resolve) => {
			connection.on("Response_VM", ([vmId, json]: [string, string]) => {
				answers.push([vmId, JSON.parse(json)]);
				if (answers.length === 2) resolve();
			});
		});
		await connection.start();
		await connection.invoke("Request_VM", "HelloWorld", {});
		await connection.invoke("Update_VM", "HelloWorld", { FirstName: "Ada" });
		await answered;
		await connection.stop();
		assert.deepEqual(answers, [
			["HelloWorld", { FirstName: "Hello", LastName: "World", Greetings: "Hello, Hello World!" }],
			["HelloWorld", { Greetings: "Hello, Ada World!" }],
		]);
	});

	/** A started client of the example under a heading. */
	async function clientOf(heading: string): Promise<HubConnection> {
		const port = await freePort(0);
		await start(heading, { 5000: port });
		const connection = new HubConnectionBuilder()
			.withUrl(`http://127.0.0.1:${port}/hub`)
			.configureLogging(LogLevel.Error)
			.build();
		await connection.start();
		return connection;
	}

	it("has streams that work with the client", async () => {
		const connection = await clientOf("Streams");
		const items: number[] = [];
		await new Promise<void>((complete, error) => {
			connection
				.stream<number>("countdown", 3)
				.subscribe({ next: (item) => items.push(item), complete, error });
		});
		const numbers = new Subject<number>();
		const sum = connection.invoke("sum", numbers);
		for (const number of [1, 2, 3]) numbers.next(number);
		numbers.complete();
		assert.deepEqual([items, await sum], [[3, 2, 1], 6]);
		await connection.stop();
	});

	it("has client results that work with the client", async () => {
		const connection = await clientOf("Client results");
		connection.on("confirm", (text: string) => text === "Remove old?");
		assert.deepEqual(
			[await connection.invoke("remove", "old"), await connection.invoke("remove", "new")],
			["removed", "kept"],
		);
		await connection.stop();
	});
});
