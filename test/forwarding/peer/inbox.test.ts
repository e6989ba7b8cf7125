import assert from "node:assert/strict";
import { type Deferred, deferred } from "../../../lib/base/index.js";
import { Inbox } from "../../../lib/forwarding/peer/inbox.js";
import type { ClientConnection } from "../../../lib/hub/index.js";
import { Arguments, type HubMessage, MessageType } from "../../../lib/protocols/index.js";

const call = (target: string): HubMessage => ({
	type: MessageType.Invocation,
	target,
	arguments: Arguments.from("json", Buffer.from("[]"), () => []),
});

/** An inbox, and a client whose calls run until they are released. */
function setUp({ maxMessages = 4, maxBytes = 1_000 } = {}): {
	readonly inbox: Inbox;
	readonly heard: string[];
	readonly taken: string[];
	readonly client: ClientConnection;
	readonly gates: Deferred<void>[];
	refuse: ((target: string) => Error | undefined) | undefined;
	/** While it is there, no call may be started. */
	full: Deferred<void> | undefined;
	/** What waits, as the inbox has told. */
	readonly waiting: { messages: number; bytes: number };
	/** Opens the inbox behind a call that the client has not done with. */
	openBusy(): void;
} {
	const heard: string[] = [];
	const taken: string[] = [];
	const gates: Deferred<void>[] = [];
	const wait = (): Promise<void> => {
		const gate = deferred();
		gates.push(gate);
		return gate.promise;
	};
	const changing = {
		full: undefined as Deferred<void> | undefined,
		waiting: { messages: 0, bytes: 0 },
	};
	const state = Object.assign(changing, {
		...{ heard, taken, gates, refuse: undefined as ((target: string) => Error | undefined) | undefined },
		inbox: new Inbox(
			{
				...{ maxMessages, maxBytes, maxLateBytes: 500 },
				room: () => changing.full?.promise,
				changed(messages, bytes) {
					changing.waiting.messages += messages;
					changing.waiting.bytes += bytes;
				},
			},
			{
				hold: () => heard.push("hold"),
				go: () => heard.push("go"),
				failed: (cause) => heard.push(`failed ${(cause as Error).message}`),
				idle: () => heard.push("idle"),
			},
		),
		client: {
			isDraining: false,
			receive(message: HubMessage): Promise<void> | undefined {
				const target = message.type === MessageType.Invocation ? message.target : "";
				const refusal = state.refuse?.(target);
				if (refusal) throw refusal;
				taken.push(target);
				return target.startsWith("slow") ? wait() : undefined;
			},
		} as unknown as ClientConnection,
		openBusy: () => state.inbox.open(state.client, wait()),
	});
	return state;
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("forwarding/peer/inbox", () => {
	it("keeps what comes before its client is there, and while a call has the client, in order", async () => {
		const { inbox, client, taken, gates, heard } = setUp();
		for (const target of ["a", "slow", "b", "c"]) inbox.push(call(target), 10);
		assert.deepEqual([taken, inbox.length], [[], 4]);
		inbox.open(client);
		await turn();
		assert.deepEqual([taken, inbox.length], [["a", "slow"], 2]);
		inbox.push(call("d"), 10);
		assert.deepEqual(heard, []);
		gates[0]?.resolve();
		await turn();
		assert.deepEqual([taken, heard], [["a", "slow", "b", "c", "d"], ["idle"]]);
	});

	for (const [what, limits, bytes] of [
		["messages", { maxMessages: 4 }, 1],
		["bytes", { maxMessages: 100, maxBytes: 40 }, 10],
	] as const) {
		it(`asks to hold the client above its ${what}, once, and to go on at half of them`, async () => {
			const { inbox, openBusy, heard, gates } = setUp(limits);
			openBusy();
			for (let at = 0; at < 4; at++) inbox.push(call("slow"), bytes);
			assert.deepEqual([heard, inbox.isHeld], [[], false]);
			inbox.push(call("slow"), bytes);
			inbox.push(call("slow"), bytes);
			assert.deepEqual([heard, inbox.length, inbox.isHeld], [["hold"], 6, true]);
			for (const left of [5, 4, 3]) {
				gates.at(-1)?.resolve();
				await turn();
				assert.deepEqual([heard, inbox.length], [["hold"], left]);
			}
			gates.at(-1)?.resolve();
			await turn();
			assert.deepEqual([heard, inbox.length, inbox.isHeld], [["hold", "go"], 2, false]);
		});
	}

	it("tells of a message that the client refuses, and goes on", async () => {
		const state = setUp();
		const { inbox, openBusy, heard, taken, gates } = state;
		state.refuse = (target) => (target === "bad" ? new Error("bad") : undefined);
		openBusy();
		inbox.push(call("bad"), 1);
		inbox.push(call("a"), 1);
		gates[0]?.reject(new Error("slow"));
		await turn();
		assert.deepEqual([heard, taken], [["failed slow", "failed bad", "idle"], ["a"]]);
	});

	it("calls back behind the last message that is here, and says that it is not needed any more", async () => {
		const { inbox, openBusy, gates, heard } = setUp();
		openBusy();
		inbox.push(call("slow"), 1);
		inbox.whenEmpty(() => heard.push("empty"));
		gates[0]?.resolve();
		await turn();
		assert.deepEqual(heard, []);
		gates[1]?.resolve();
		await turn();
		assert.deepEqual(heard, ["idle", "empty"]);
	});

	it("gives back what was not handed over when it closes, takes nothing more, and calls nobody back", async () => {
		const { inbox, openBusy, taken, gates, heard } = setUp({ maxMessages: 1 });
		openBusy();
		for (const target of ["a", "b"]) inbox.push(call(target), 1);
		inbox.whenEmpty(() => heard.push("empty"));
		const dropped = inbox.close().map((message) => message.type === MessageType.Invocation && message.target);
		assert.deepEqual(dropped, ["a", "b"]);
		inbox.push(call("c"), 1);
		gates[0]?.resolve();
		await turn();
		assert.deepEqual([taken, inbox.length, heard], [[], 0, ["hold", "idle"]]);
	});

	it("starts nothing more of a client that drains, and gives that back", async () => {
		const { inbox, openBusy, client, taken, gates, heard } = setUp();
		openBusy();
		inbox.push(call("a"), 1);
		(client as { isDraining: boolean }).isDraining = true;
		gates[0]?.resolve();
		await turn();
		assert.deepEqual([taken, inbox.close().length, heard], [[], 1, []]);
	});

	it("starts no call while there is no room for its answer, and hands on everything else", async () => {
		const state = setUp();
		const { inbox, client, taken, heard } = state;
		const full = deferred();
		state.full = full;
		inbox.push({ type: MessageType.CancelInvocation, invocationId: "1" }, 1);
		for (const name of ["a", "b", "c", "d", "e"]) inbox.push(call(name), 10);
		inbox.open(client);
		assert.deepEqual([taken, heard, state.waiting], [[""], ["hold"], { messages: 5, bytes: 50 }]);
		state.full = deferred();
		full.resolve();
		await turn();
		assert.deepEqual(taken, [""], "there was room, and others have taken it");
		const { full: later } = state;
		state.full = undefined;
		later?.resolve();
		await turn();
		assert.deepEqual(
			[taken, heard],
			[
				["", "a", "b", "c", "d", "e"],
				["hold", "go", "idle"],
			],
		);
		assert.deepEqual(state.waiting, { messages: 0, bytes: 0 });
	});

	it("waits for no room once it is closed, and counts nothing any more", async () => {
		const state = setUp();
		const full = deferred();
		state.full = full;
		state.inbox.push(call("a"), 10);
		state.inbox.open(state.client);
		assert.equal(state.inbox.close().length, 1);
		full.resolve();
		await turn();
		assert.deepEqual([state.taken, state.waiting], [[], { messages: 0, bytes: 0 }]);
	});

	it("gives a client up of whom more comes than can have been on its way when it was to be held", () => {
		const { inbox, heard } = setUp({ maxMessages: 4, maxBytes: 100 });
		for (const bytes of [101, 400, 99]) inbox.push(call("a"), bytes);
		assert.deepEqual(heard, ["hold"]);
		inbox.push(call("a"), 1);
		assert.equal(heard.length, 2);
		assert.match(heard[1] ?? "", /^failed .*windowBytes/);
	});
});
