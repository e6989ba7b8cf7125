import assert from "node:assert/strict";
import { Subject } from "@microsoft/signalr";
import type { Scene } from "../scene.js";
import { failureOf, receive } from "../scene.js";

const unexpected = (name: string): string => `An unexpected error occurred invoking '${name}' on the server.`;
const failed = (name: string): string => `Failed to invoke '${name}' due to an error on the server.`;

/** Calls, what clients read of their failure, and what they read where the hub tells details. */
const CALLS: readonly (readonly [name: string, args: readonly unknown[], text: string, detail?: string])[] = [
	["Fail", [], unexpected("Fail"), " InvalidOperationException: secret"],
	["FailLater", [], unexpected("FailLater"), " InvalidOperationException: secret"],
	["Refuse", ["boo"], `${unexpected("Refuse")} HubException: boo`],
	["Refuse", [""], `${unexpected("Refuse")} HubException: `],
	["Nope", [], `${failed("Nope")} HubException: Method does not exist.`],
	[
		"Add",
		[1],
		failed("Add"),
		" InvalidDataException: Invocation provides 1 argument(s) but target expects 2.",
	],
	[
		"Add",
		[1, 2, 3],
		failed("Add"),
		" InvalidDataException: Invocation provides 3 argument(s) but target expects 2.",
	],
	["Add", [1, 2.5], failed("Add")],
	["Add", [1, "two"], failed("Add")],
	["Add", [1, null], failed("Add")],
	["Sum", [1], `${unexpected("Sum")} HubException: Client sent 0 stream(s), Hub method expects 1.`],
	[
		"Counter",
		[1],
		"The client attempted to invoke the streaming 'Counter' method with a non-streaming invocation.",
	],
];

const STREAMS: readonly (readonly [name: string, args: readonly unknown[], text: string])[] = [
	["Nope", [], `${failed("Nope")} HubException: Method does not exist.`],
	["Counter", [], failed("Counter")],
	["Counter", ["many"], failed("Counter")],
	["NeverStarts", [], `${unexpected("NeverStarts")} HubException: no stream today`],
	["RunsDry", [2], "An error occurred on the server while streaming results. HubException: ran dry"],
	["BreaksDown", [2], "An error occurred on the server while streaming results."],
	[
		"EchoStream",
		[],
		`${unexpected("EchoStream")} HubException: Client sent 0 stream(s), Hub method expects 1.`,
	],
	[
		"Add",
		[1, 2],
		"The client attempted to invoke the non-streaming 'Add' method with a streaming invocation.",
	],
];

/** What clients are told of failures. */
export function errorsContract(scene: () => Scene): void {
	describe("errors", () => {
		it("tells a caller what it may know, and the connection goes on", async () => {
			const { connection } = await scene().connect();
			for (const [name, args, text] of CALLS)
				assert.equal(await failureOf(connection.invoke(name, ...args)), text, `${name} ${args}`);
			assert.equal(await connection.invoke("Add", 1, 2), 3);
		});

		it("tells details where the hub allows it", async () => {
			const { connection } = await scene().connect({ path: "/detailed" });
			for (const [name, args, text, detail] of CALLS) {
				if (detail === undefined && text === failed("Add")) continue;
				assert.equal(await failureOf(connection.invoke(name, ...args)), text + (detail ?? ""));
			}
			const { ended } = receive(connection.stream("BreaksDown", 1));
			const text = "An error occurred on the server while streaming results.";
			assert.equal(await ended, `${text} InvalidOperationException: secret`);
		});

		it("tells it of streams, behind the items that came before", async () => {
			const { connection } = await scene().connect();
			for (const [name, args, text] of STREAMS) {
				const { ended, items } = receive(connection.stream(name, ...args));
				assert.equal(await ended, text, name);
				assert.equal(items.length, /streaming results/.test(text) ? 2 : 0, name);
			}
			assert.equal(await connection.invoke("Add", 1, 2), 3);
		});

		it("names methods as they were declared, and unknown ones as they were called", async () => {
			const { connection } = await scene().connect();
			assert.equal(await failureOf(connection.invoke("fAIL")), unexpected("Fail"));
			assert.equal(await failureOf(connection.invoke("aDD")), failed("Add"));
			assert.match(await failureOf(connection.invoke("nOPE")), /^Failed to invoke 'nOPE' /);
		});

		it("refuses streams of the client that the method has no place for", async () => {
			const { connection } = await scene().connect();
			const upload = new Subject<number>();
			const call = connection.invoke("Echo", 1, upload);
			assert.equal(
				await failureOf(call),
				`${unexpected("Echo")} HubException: Client sent 1 stream(s), Hub method expects 0.`,
			);
			upload.complete();
			assert.equal(await connection.invoke("Add", 1, 2), 3);
		});
	});
}
