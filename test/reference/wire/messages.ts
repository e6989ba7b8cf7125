import assert from "node:assert/strict";
import type { Scene } from "../scene.js";

const CLOSED = { type: 7, error: "Connection closed with an error.", allowReconnect: true };
const ADD = { type: 1, invocationId: "1", target: "Add", arguments: [1, 2] };
const THREE = { type: 3, invocationId: "1", result: 3 };

/** What breaks the protocol. */
const BROKEN: readonly (object | string)[] = [
	"",
	"{",
	"x",
	"null",
	"1",
	"[]",
	"[1]",
	"{}",
	'{"type":1}{"type":6}',
	{ type: "1" },
	{ type: null },
	{ type: 1.5 },
	{ ...ADD, invocationId: 1 },
	{ ...ADD, invocationId: {} },
	{ type: 1, invocationId: "1", arguments: [] },
	{ type: 1, invocationId: "1", target: "Add" },
	{ ...ADD, target: 1 },
	{ ...ADD, target: null },
	{ ...ADD, arguments: {} },
	{ ...ADD, arguments: "12" },
	{ ...ADD, arguments: null },
	{ ...ADD, headers: [] },
	{ ...ADD, headers: { a: 1 } },
	{ ...ADD, headers: { a: null } },
	{ ...ADD, streamIds: [1] },
	{ ...ADD, streamIds: "1" },
	{ type: 2, item: 1 },
	{ type: 2, invocationId: "1" },
	{ type: 3 },
	{ type: 3, invocationId: "s999999", result: 1, error: "x" },
	{ type: 4, target: "Counter", arguments: [1] },
	{ type: 4, invocationId: "", target: "Counter", arguments: [1] },
	{ type: 4, invocationId: "1", arguments: [1] },
	{ type: 5 },
	{ type: 7, error: 1 },
	{ type: 8 },
	{ type: 8, sequenceId: "1" },
	{ type: 9 },
];

/** What is no error, and has no effect. */
const IGNORED: readonly object[] = [
	{ type: 2, invocationId: "none", item: 1 },
	{ type: 3, invocationId: "none", result: 1 },
	{ type: 3, invocationId: "none", error: "x" },
	{ type: 3, invocationId: "none" },
	{ type: 5, invocationId: "none" },
	{ type: 6 },
	{ type: 6, more: 1 },
	{ type: 8, sequenceId: 1 },
	{ type: 9, sequenceId: 1 },
];

/** Other ways to write a call. */
const CALLS: readonly (object | string)[] = [
	'{"arguments":[1,2],"target":"Add","invocationId":"1","type":1}',
	'{"type":1,"arguments":[1,2],"invocationId":"1","target":"\\u0041dd"}',
	{ ...ADD, headers: { "x-trace": "1", "": "" } },
	{ ...ADD, headers: {} },
	{ ...ADD, streamIds: [] },
	{ ...ADD, more: { is: ["ignored"] }, result: 1, error: "x" },
	'{"type":1,"invocationId":"1","target":"Nope","target":"Add","arguments":[1,2]}',
];

const CALL = '"invocationId":"1","target":"Add","arguments":[1,2';
const UNBOUND = "Failed to invoke 'Add' due to an error on the server.";
const HALF = "\\ud83d";

/** JSON on which parsers differ: what ASP.NET Core says to it, and what we do. */
const EDGES: readonly (readonly [message: string, theirs: object, ours: object])[] = [
	[`{"type":1,${CALL},]}`, { type: 3, invocationId: "1", error: UNBOUND }, CLOSED],
	[`{"type":1,${CALL}]} x`, THREE, CLOSED],
	[`{"type":1.0,${CALL}]}`, CLOSED, THREE],
	[`{"type":1,"item":1,"sequenceId":"x",${CALL}]}`, CLOSED, THREE],
	[
		`{"type":1,"invocationId":"1","target":"Echo","arguments":["${HALF}"]}`,
		CLOSED,
		{ type: 3, invocationId: "1", result: JSON.parse(`"${HALF}"`) },
	],
];

/** Single messages as json. */
export function messagesContract(scene: () => Scene): void {
	describe("messages", () => {
		for (const message of BROKEN) {
			it(`end the connection: ${typeof message === "string" ? `"${message}"` : JSON.stringify(message)}`, async () => {
				const raw = await scene().raw();
				raw.send(message);
				assert.deepEqual(await raw.last(), { said: [CLOSED], code: "1000 " });
			});
		}

		it("end the connection where they are not UTF-8, wherever that is", async () => {
			const parts = ['{"type":1,"invocationId":"1","target":"', '","arguments":["', '"]}\u001e'];
			for (const [target, text] of [
				[Buffer.from([0xff]), Buffer.alloc(0)],
				[Buffer.from("Echo"), Buffer.from([0xff])],
			] as const) {
				const raw = await scene().raw();
				const [head = "", middle = "", tail = ""] = parts;
				raw.webSocket.send(
					Buffer.concat([Buffer.from(head), target, Buffer.from(middle), text, Buffer.from(tail)]),
				);
				if (text.length > 0 && !scene().subject.deviates("arguments that are not UTF-8"))
					assert.deepEqual(await raw.next(), { type: 3, invocationId: "1", result: "\ufffd" });
				else assert.deepEqual(await raw.last(), { said: [CLOSED], code: "1000 " });
			}
		});

		it("are read as JavaScript reads them where parsers differ", async () => {
			const isOurs = scene().subject.deviates("JSON at its edges");
			for (const [message, theirs, ours] of EDGES) {
				const raw = await scene().raw();
				raw.send(message);
				assert.deepEqual(await raw.next(), isOurs ? ours : theirs, message);
			}
		});

		it("tell details of it where the hub allows it", async () => {
			const isOurs = scene().subject.deviates("texts of details");
			const raw = await scene().raw("/detailed");
			raw.invoke("1", "Add", 1, "two");
			const { error: refusal } = (await raw.next()) as { error: string };
			const failed = "Failed to invoke 'Add' due to an error on the server. InvalidDataException:";
			assert.ok(
				refusal.startsWith(`${failed} ${isOurs ? "Argument 2 was refused" : "Error binding arguments"}`),
			);
			raw.send("{}");
			const { said, code } = await raw.last();
			const [{ error, ...close }] = said as [{ error: string }];
			assert.deepEqual([close, code], [{ type: 7, allowReconnect: true }, "1000 "]);
			const name = isOurs ? "TrunklineError" : "InvalidDataException";
			assert.match(error, new RegExp(`^Connection closed with an error\\. ${name}: .*type`));
			const other = await scene().socket("/detailed");
			other.send("x");
			const [{ error: failure }] = (await other.last()).said as [{ error: string }];
			const told = "An unexpected error occurred during connection handshake.";
			assert.equal(failure.startsWith(isOurs ? told : `${told} JsonReaderException: `), true, failure);
			assert.equal(failure === told, isOurs);
		});

		it("are ignored where they are for nothing that runs", async () => {
			const raw = await scene().raw();
			raw.send(...IGNORED, ADD);
			assert.deepEqual(await raw.next(), THREE);
		});

		it("may have their fields in any order, unknown ones, headers", async () => {
			const raw = await scene().raw();
			for (const call of CALLS) {
				raw.send(call);
				assert.deepEqual(await raw.next(), THREE);
			}
		});

		it("of an unknown type are ignored", async () => {
			const raw = await scene().raw();
			raw.send({ type: 99, more: {} }, { type: 0 }, { type: -1 }, ADD);
			if (!scene().subject.deviates("unknown message type")) {
				await scene().meanwhile();
				assert.deepEqual(raw.records, []);
				return;
			}
			assert.deepEqual(await raw.next(), THREE);
		});

		it("have no answer where they have no invocationId, or an empty one, failed or not", async () => {
			const raw = await scene().raw();
			for (const target of ["Add", "Fail", "Nope", "Counter"]) {
				raw.send({ type: 1, target, arguments: [1, 2] });
				raw.send({ ...ADD, target, invocationId: "" });
			}
			raw.send({ ...ADD, invocationId: "last" });
			assert.deepEqual(await raw.next(), { ...THREE, invocationId: "last" });
		});

		it("may name no method at all", async () => {
			const raw = await scene().raw();
			raw.invoke("1", "");
			const error = "Failed to invoke '' due to an error on the server. HubException: Method does not exist.";
			assert.deepEqual(await raw.next(), { type: 3, invocationId: "1", error });
		});

		it("may use an invocationId again, and any text for it", async () => {
			const raw = await scene().raw();
			for (const invocationId of ["1", "1", "é\u0000", "x".repeat(1_000)]) {
				raw.send({ ...ADD, invocationId });
				assert.deepEqual(await raw.next(), { ...THREE, invocationId });
			}
		});

		it("carry null for a method without a result, and none at the end of a stream", async () => {
			const raw = await scene().raw();
			raw.invoke("1", "Nothing");
			assert.equal(JSON.stringify(await raw.next()), '{"type":3,"invocationId":"1","result":null}');
			raw.invoke("2", "Echo", null);
			assert.equal(JSON.stringify(await raw.next()), '{"type":3,"invocationId":"2","result":null}');
			raw.send({ type: 4, invocationId: "3", target: "Nulls", arguments: [] });
			assert.deepEqual(
				(await raw.take(3)).map((message) => JSON.stringify(message)),
				[
					'{"type":2,"invocationId":"3","item":null}',
					'{"type":2,"invocationId":"3","item":{"name":null}}',
					'{"type":3,"invocationId":"3"}',
				],
			);
		});

		it("carry an error and nothing else where a call failed", async () => {
			const raw = await scene().raw();
			raw.invoke("1", "Fail");
			const error = "An unexpected error occurred invoking 'Fail' on the server.";
			assert.deepEqual(await raw.next(), { type: 3, invocationId: "1", error });
		});

		it("to a client that nobody asked for a result have no invocationId", async () => {
			const raw = await scene().raw();
			raw.invoke("1", "SayTwo", "told", 1, null);
			assert.deepEqual(await raw.next(), { type: 1, target: "told", arguments: [1, null] });
			assert.deepEqual(await raw.next(), { type: 3, invocationId: "1", result: null });
		});

		it("may be nested 64 levels deep, and no deeper", async () => {
			const nested = (depth: number): object =>
				JSON.parse(
					`{"type":1,"invocationId":"1","target":"Echo","arguments":[${"[".repeat(depth)}${"]".repeat(depth)}]}`,
				);
			const raw = await scene().raw();
			raw.send(nested(62));
			const { result } = (await raw.next()) as { result: unknown };
			assert.equal(JSON.stringify(result).length, 2 * 62);
			raw.send(nested(63));
			assert.deepEqual(await raw.last(), { said: [CLOSED], code: "1000 " });
		});
	});
}
