import assert from "node:assert/strict";
import type { RawClient } from "../raw-client.js";
import type { Scene } from "../scene.js";

const CLOSED = { type: 7, error: "Connection closed with an error.", allowReconnect: true };

/** What goes on while a method runs, and what waits for it. */
export function dispatchContract(scene: () => Scene): void {
	describe("while a method runs", () => {
		let gate = "";
		let raw: RawClient;
		beforeEach(async () => {
			gate = scene().unique();
			raw = await scene().raw();
			raw.invoke("held", "Hold", gate);
			await scene().reached(gate, 1);
		});
		afterEach(() => scene().release(gate));

		const heldAnswer = { type: 3, invocationId: "held" };
		/** What the hub sends from here on, up to the answer of the method that runs. */
		const untilHeld = async (): Promise<unknown[]> => {
			const said: unknown[] = [];
			for (;;) {
				const message = (await raw.next()) as { invocationId?: string };
				said.push(message);
				if (message.invocationId === "held") return said;
			}
		};

		it("starts streams and cancels them", async () => {
			const scope = scene().unique();
			raw.send({ type: 4, invocationId: "stream", target: "Quiet", arguments: [scope] });
			assert.deepEqual(await raw.next(), { type: 2, invocationId: "stream", item: "only" });
			raw.send({ type: 5, invocationId: "stream" });
			assert.deepEqual(await raw.next(), { type: 3, invocationId: "stream" });
			assert.deepEqual(await scene().reached(scope, 1), ["stream over"]);
			await scene().release(gate);
			assert.deepEqual(await raw.next(), { ...heldAnswer, result: gate });
		});

		it("takes the items of uploads, and ends them", async () => {
			raw.send({ type: 1, invocationId: "sum", target: "Sum", arguments: [1], streamIds: ["up"] });
			raw.send({ type: 2, invocationId: "up", item: 2 }, { type: 2, invocationId: "up", item: 3 });
			raw.send({ type: 3, invocationId: "up" });
			assert.deepEqual(await raw.next(), { type: 3, invocationId: "sum", result: 6 });
		});

		it("goes on where it is cancelled: only streams can be", async () => {
			raw.send({ type: 5, invocationId: "held" });
			await scene().meanwhile();
			assert.deepEqual(raw.records, []);
			await scene().release(gate);
			assert.deepEqual(await raw.next(), { ...heldAnswer, result: gate });
		});

		it("answers a Close at once, and tells the hub its error", async () => {
			const scope = scene().unique();
			const other = await scene().raw(`/hub?scope=${scope}`);
			const [id = ""] = await scene().reached(scope, 1);
			other.invoke("1", "Hold", gate);
			await scene().reached(gate, 2);
			other.send({ type: 7, error: "mine" });
			assert.deepEqual(await other.last(), { said: [{ type: 7 }], code: "1000 " });
			assert.deepEqual(await scene().reached(id, 2), ["connected", "disconnected: mine"]);
		});

		it("ends the connection where the protocol is broken", async () => {
			raw.send("broken");
			assert.deepEqual(await raw.last(), { said: [CLOSED], code: "1000 " });
		});

		it("lets the next call wait, and everything behind it", async () => {
			const scope = scene().unique();
			raw.send({ type: 4, invocationId: "stream", target: "Quiet", arguments: [scope] });
			await raw.next();
			raw.invoke("next", "Note", gate, "next");
			raw.send({ type: 5, invocationId: "stream" });
			if (scene().subject.deviates("cancel behind a call that waits"))
				assert.deepEqual(await raw.next(), { type: 3, invocationId: "stream" });
			await scene().meanwhile();
			assert.deepEqual([raw.records, await scene().reached(gate, 0)], [[], ["held"]]);
			assert.deepEqual(await scene().reached(scope, 0), []);
			await scene().release(gate);
			assert.deepEqual(await scene().reached(scope, 1), ["stream over"]);
			const said = await untilHeld();
			assert.deepEqual(said, [{ ...heldAnswer, result: gate }]);
			assert.deepEqual(await scene().reached(gate, 3), ["held", "let go", "next"]);
			if (scene().subject.deviates("cancel behind a call that waits")) {
				assert.deepEqual(await raw.next(), { type: 3, invocationId: "next", result: null });
				return;
			}
			const rest = (await raw.take(2)) as { invocationId: string }[];
			assert.deepEqual(rest.map(({ invocationId }) => invocationId).sort(), ["next", "stream"]);
		});

		it("refuses a second stream of the same invocationId, and the first goes on", async () => {
			const scope = scene().unique();
			const stream = { type: 4, invocationId: "stream", target: "Quiet", arguments: [scope] };
			raw.send(stream);
			await raw.next();
			raw.send(stream);
			const error = "Invocation ID 'stream' is already in use.";
			assert.deepEqual(await raw.next(), { type: 3, invocationId: "stream", error });
			assert.deepEqual(await scene().reached(scope, 0), []);
			if (!scene().subject.deviates("cancel after a refused second stream")) return;
			raw.send({ type: 5, invocationId: "stream" });
			assert.deepEqual(await raw.next(), { type: 3, invocationId: "stream" });
			assert.deepEqual(await scene().reached(scope, 1), ["stream over"]);
		});
	});

	describe("uploads by hand", () => {
		it("fill the method's streams in the order of their ids", async () => {
			const raw = await scene().raw();
			raw.send({
				...{ type: 1, invocationId: "1", target: "SumOfProducts", arguments: [], streamIds: ["b", "a"] },
			});
			raw.send({ type: 2, invocationId: "a", item: 10 }, { type: 2, invocationId: "b", item: 2 });
			raw.send({ type: 2, invocationId: "b", item: 3 }, { type: 3, invocationId: "b" });
			raw.send({ type: 2, invocationId: "a", item: 100 }, { type: 3, invocationId: "a" });
			assert.deepEqual(await raw.next(), { type: 3, invocationId: "1", result: 320 });
		});

		it("fail with the client's text", async () => {
			const raw = await scene().raw();
			raw.send({ type: 1, invocationId: "1", target: "Collect", arguments: [], streamIds: ["up"] });
			raw.send({ type: 3, invocationId: "up", error: "boom" });
			const error = "An unexpected error occurred invoking 'Collect' on the server. HubException: boom";
			assert.deepEqual(await raw.next(), { type: 3, invocationId: "1", error });
		});

		it("hold the client back where their method does not read: ten items wait", async () => {
			const raw = await scene().raw();
			const [scope, gate] = [scene().unique(), scene().unique()];
			const item = { type: 2, invocationId: "up", item: "x" };
			raw.send({ type: 1, target: "Take", arguments: [scope, gate], streamIds: ["up"] });
			raw.send(...Array.from({ length: 10 }, () => item));
			raw.invoke("ten", "Nothing");
			assert.deepEqual(await raw.next(), { type: 3, invocationId: "ten", result: null });
			raw.send(item);
			raw.invoke("eleven", "Nothing");
			await scene().meanwhile();
			assert.deepEqual([raw.records, await scene().reached(scope, 0)], [[], ["taking"]]);
			await scene().release(gate);
			assert.deepEqual(await raw.next(), { type: 3, invocationId: "eleven", result: null });
			assert.equal((await scene().reached(scope, 12)).length, 12);
		});

		it("end the method's loop where the socket is cut", async () => {
			const raw = await scene().raw();
			const [scope, gate] = [scene().unique(), scene().unique()];
			raw.send({ type: 1, target: "Take", arguments: [scope, gate], streamIds: ["up"] });
			await scene().release(gate);
			raw.send({ type: 2, invocationId: "up", item: "a" });
			await scene().reached(scope, 2);
			raw.webSocket.terminate();
			assert.deepEqual(await scene().reached(scope, 3), ["taking", "a", "lost"]);
		});

		it("may not share an id while both are open", async () => {
			const raw = await scene().raw();
			const upload = { type: 1, target: "Collect", arguments: [], streamIds: ["up"] };
			raw.send({ ...upload, invocationId: "1" });
			raw.send({ ...upload, invocationId: "2" });
			raw.send({ type: 2, invocationId: "up", item: "a" }, { type: 3, invocationId: "up" });
			if (!scene().subject.deviates("id of two uploads")) {
				assert.deepEqual(await raw.next(), { type: 3, invocationId: "2", result: ["a"] });
				return;
			}
			const error = "Stream ID 'up' is already in use.";
			assert.deepEqual(await raw.take(2), [
				{ type: 3, invocationId: "2", error },
				{ type: 3, invocationId: "1", result: ["a"] },
			]);
		});

		it("of the wrong type end the call", async () => {
			const raw = await scene().raw();
			raw.send({ type: 1, invocationId: "1", target: "Sum", arguments: [1], streamIds: ["up"] });
			raw.send({ type: 2, invocationId: "up", item: "two" }, { type: 3, invocationId: "up" });
			const error =
				"An unexpected error occurred invoking 'Sum' on the server. HubException: Failed to bind Stream message.";
			const answer = scene().subject.deviates("types of upload items") ? { result: "1two" } : { error };
			assert.deepEqual(await raw.next(), { type: 3, invocationId: "1", ...answer });
		});
	});

	describe("client results by hand", () => {
		it("have ids of the hub, and take every kind of Completion", async () => {
			const raw = await scene().raw();
			const empty = scene().subject.deviates("answer without a result")
				? "result undefined"
				: "error Exception of type 'Microsoft.AspNetCore.SignalR.HubException' was thrown.";
			const table: [answer: object, outcome: string][] = [
				[{ result: { a: [1] } }, 'result {"a":[1]}'],
				[{ result: null }, "result null"],
				[{ error: "no" }, "error no"],
				[{}, empty],
			];
			for (const [answer, outcome] of table) {
				raw.invoke("1", "AskCaller", "question", { x: 1 });
				const { invocationId, ...asked } = (await raw.next()) as { invocationId: string };
				const isPrefixed = scene().subject.deviates("ids of calls to clients");
				assert.match(invocationId, isPrefixed ? /^(u\w+\.)+s\d+$/ : /^s\d+$/);
				assert.deepEqual(asked, { type: 1, target: "question", arguments: [{ x: 1 }] });
				raw.send({ type: 3, invocationId, ...answer });
				assert.deepEqual(await raw.next(), { type: 3, invocationId: "1", result: outcome });
			}
		});

		it("end the connection of who answers for another, and the true answer counts", async () => {
			const [asked, forger] = [await scene().raw(), await scene().raw()];
			asked.invoke("1", "AskCaller", "question", 0);
			const { invocationId } = (await asked.next()) as { invocationId: string };
			forger.send({ type: 3, invocationId, result: "forged" });
			if (scene().subject.deviates("answer to a call that another was asked")) {
				forger.invoke("2", "Add", 1, 2);
				assert.deepEqual(await forger.next(), { type: 3, invocationId: "2", result: 3 });
			} else assert.deepEqual(await forger.last(), { said: [CLOSED], code: "1000 " });
			asked.send({ type: 3, invocationId, result: "true" });
			assert.deepEqual(await asked.next(), { type: 3, invocationId: "1", result: 'result "true"' });
		});

		it("free the slot of the method that asks", async () => {
			const raw = await scene().raw();
			raw.invoke("1", "AskCaller", "question", 0);
			const { invocationId } = (await raw.next()) as { invocationId: string };
			raw.invoke("2", "Add", 1, 2);
			assert.deepEqual(await raw.next(), { type: 3, invocationId: "2", result: 3 });
			raw.send({ type: 3, invocationId, result: 1 });
			assert.deepEqual(await raw.next(), { type: 3, invocationId: "1", result: "result 1" });
		});
	});
}
