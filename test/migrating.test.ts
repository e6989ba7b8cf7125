import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import {
	HttpTransportType,
	type HubConnection,
	HubConnectionBuilder,
	LogLevel,
	Subject,
} from "@microsoft/signalr";
import { SignJWT } from "jose";
import { freePort } from "../proxy-server/children.js";
import { DEVIATIONS } from "./reference/deviations.js";
import { RunningExamples } from "./running-examples.js";

const SECRET = "a secret of thirty-two bytes or more";
const page = readFileSync("docs/migrating-from-aspnet-core.md", "utf8");

/** The rows of the tables below a heading, each as the texts of its cells; those of the head left out. */
function rowsOf(heading: string): string[][] {
	const [, section = ""] = page.split(`\n## ${heading}\n`);
	const [text = ""] = section.split("\n## ");
	const rows = [...text.matchAll(/^\| (.*) \|$/gm)].map(([, row = ""]) => row.split(" | "));
	return rows.slice(2);
}

describe("docs/migrating-from-aspnet-core", function () {
	this.timeout(60_000);
	let running: RunningExamples;
	const connections: HubConnection[] = [];
	let url: string;

	before(async () => {
		running = new RunningExamples("migrating");
		const [, code = ""] = /```ts\n([\s\S]*?)```/.exec(page) ?? [];
		const port = await freePort(0);
		await running.start("chat", code.replace("5000", String(port)), { JWT_SECRET: SECRET });
		url = `http://127.0.0.1:${port}/chat`;
	});

	after(async () => {
		await Promise.all(connections.map((connection) => connection.stop()));
		await running.close();
	});

	async function connect(user: string, claims = {}): Promise<HubConnection> {
		const token = await new SignJWT(claims)
			.setProtectedHeader({ alg: "HS256" })
			.setSubject(user)
			.setIssuer("https://login.example.org")
			.setAudience("chat")
			.setExpirationTime("5m")
			.sign(new TextEncoder().encode(SECRET));
		const connection = new HubConnectionBuilder()
			.withUrl(url, { accessTokenFactory: () => token, transport: HttpTransportType.WebSockets })
			.configureLogging(LogLevel.None)
			.build();
		connection.on("received", () => {});
		await connection.start();
		connections.push(connection);
		return connection;
	}

	it("has a hub that does what its twin in C# does", async () => {
		const ann = await connect("ann");
		const heard: string[][] = [];
		const heardTwo = new Promise<void>((resolve) => {
			ann.on("received", (user: string, text: string) => {
				if (heard.push([user, text]) === 2) resolve();
			});
		});
		const bob = await connect("bob", { role: "admin" });
		await ann.invoke("join", "lobby");
		await bob.invoke("Join", "lobby");
		await bob.invoke("Send", "hi");
		await heardTwo;
		assert.deepEqual(heard, [
			["server", "bob is here"],
			["bob", "hi"],
		]);
		await assert.rejects(ann.invoke("Join", "attic"), /HubException: There is no such room\.$/);
		await assert.rejects(ann.invoke("Clear"), /'Clear' because user is unauthorized$/);
		bob.on("Confirm", (question: string) => question === "Really?");
		assert.equal(await bob.invoke("Clear"), "cleared");
	});

	it("has streams in both directions", async () => {
		const ann = await connect("ann");
		const items: number[] = [];
		await new Promise<void>((complete, error) => {
			ann.stream<number>("Countdown", 3).subscribe({ next: (item) => items.push(item), complete, error });
		});
		const numbers = new Subject<number>();
		const sum = ann.invoke("Sum", numbers);
		for (const number of [1, 2, 3]) numbers.next(number);
		numbers.complete();
		assert.deepEqual([items, await sum], [[3, 2, 1], 6]);
	});

	it("refuses a client without a token", async () => {
		const nobody = new HubConnectionBuilder().withUrl(url).configureLogging(LogLevel.None).build();
		await assert.rejects(nobody.start(), /401/);
	});

	it("gives the options their names, and their defaults as the page on hubs has them", () => {
		const hubs = readFileSync("docs/hubs.md", "utf8");
		const rows = [...rowsOf("HubOptions"), ...rowsOf("Options of MapHub")];
		let compared = 0;
		for (const [theirs, ours = "", byDefault] of rows) {
			const [, name] = /^`(\w+)`/.exec(ours) ?? [];
			if (name === undefined) continue;
			assert.ok(hubs.includes(`\n| \`${name}\` | ${byDefault} | `), `${theirs}: ${name}, ${byDefault}`);
			compared++;
		}
		assert.ok(compared >= 15);
	});

	it("lists every deliberate difference, in the words of the contract suite", () => {
		const documented = rowsOf("Deliberate differences");
		const declared = Object.entries(DEVIATIONS).map(([name, { aspNet, ours, why }]) => [
			name,
			aspNet,
			ours,
			why,
		]);
		assert.deepEqual(documented, declared);
	});
});
