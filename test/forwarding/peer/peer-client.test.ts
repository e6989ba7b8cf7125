import assert from "node:assert/strict";
import { type Deferred, deferred } from "../../../lib/base/index.js";
import type { FrameWire } from "../../../lib/forwarding/peer/frame-wire.js";
import { PeerClient } from "../../../lib/forwarding/peer/peer-client.js";
import type { ClientConnection } from "../../../lib/hub/index.js";
import { Arguments, type HubMessage, MessageType } from "../../../lib/protocols/index.js";

const call = (target: string): HubMessage => ({
	type: MessageType.Invocation,
	target,
	arguments: Arguments.from("json", Buffer.from("[]"), () => []),
});

/** A client whose slow calls run until they are released. */
function setUp(): {
	readonly peer: PeerClient;
	readonly connection: ClientConnection;
	readonly heard: string[];
	readonly taken: string[];
	readonly gates: Deferred<void>[];
	/** While it is there, no call may be started. */
	full: Deferred<void> | undefined;
} {
	const heard: string[] = [];
	const taken: string[] = [];
	const gates: Deferred<void>[] = [];
	const wire = { number: 7, isClosed: false, cut: () => (wire.isClosed = true) };
	const peer: PeerClient = new PeerClient("c", wire as unknown as FrameWire, {
		inboxes: {
			...{ maxMessages: 1, maxBytes: 1_000, maxLateBytes: 1_000 },
			room: () => state.full?.promise,
			changed: () => {},
		},
		hold: ({ number }) => heard.push(`hold ${number}`),
		go: ({ number }) => heard.push(`go ${number}`),
		failed: ({ number }, cause) => heard.push(`failed ${number}: ${(cause as Error).message}`),
	});
	const connection = {
		isDraining: false,
		receive(message: HubMessage): Promise<void> | undefined {
			const target = message.type === MessageType.Invocation ? message.target : "";
			if (target === "bad") throw new Error("bad");
			taken.push(target);
			if (target !== "slow") return undefined;
			const gate = deferred();
			gates.push(gate);
			return gate.promise;
		},
	} as unknown as ClientConnection;
	const state = { peer, connection, heard, taken, gates, full: undefined as Deferred<void> | undefined };
	return state;
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("forwarding/peer/peer-client", () => {
	it("hands a message over at once where nothing waits", () => {
		const { peer, connection, taken, heard } = setUp();
		peer.admitted(connection);
		peer.push(call("a"), 10);
		peer.push(call("bad"), 10);
		peer.push(call("b"), 10);
		assert.deepEqual([taken, heard], [["a", "b"], ["failed 7: bad"]]);
	});

	it("keeps what comes before it is let in, and behind a call that takes its time, in order", async () => {
		const { peer, connection, taken, gates } = setUp();
		peer.push(call("a"), 10);
		assert.deepEqual(taken, []);
		peer.admitted(connection);
		await turn();
		peer.push(call("slow"), 10);
		peer.push(call("b"), 10);
		assert.deepEqual(taken, ["a", "slow"]);
		gates[0]?.resolve();
		await turn();
		assert.deepEqual(taken, ["a", "slow", "b"]);
		peer.push(call("c"), 10);
		assert.equal(taken.at(-1), "c");
	});

	it("starts a call when there is room for its answer, and others behind it", async () => {
		const state = setUp();
		const { peer, connection, taken } = state;
		const full = deferred();
		state.full = full;
		peer.admitted(connection);
		for (const target of ["a", "b"]) peer.push(call(target), 10);
		assert.deepEqual(taken, []);
		state.full = undefined;
		full.resolve();
		await turn();
		peer.push(call("c"), 10);
		assert.deepEqual(taken, ["a", "b", "c"]);
	});

	it("has its proxy hold it while too much waits", async () => {
		const { peer, connection, heard, gates } = setUp();
		peer.admitted(connection);
		for (const target of ["slow", "a", "b"]) peer.push(call(target), 10);
		assert.deepEqual([heard, peer.isHeld], [["hold 7"], true]);
		gates[0]?.resolve();
		await turn();
		assert.deepEqual([heard, peer.isHeld], [["hold 7", "go 7"], false]);
	});

	it("calls back once what is here was handed over: at once, or behind the last", async () => {
		const { peer, connection, gates } = setUp();
		let times = 0;
		peer.admitted(connection);
		peer.whenEmpty(() => times++);
		assert.equal(times, 1);
		peer.push(call("slow"), 1);
		peer.whenEmpty(() => times++);
		assert.equal(times, 1);
		gates[0]?.resolve();
		await turn();
		assert.equal(times, 2);
	});

	it("gives back what was not handed over when it is dropped, and takes nothing more", async () => {
		const { peer, connection, taken, gates } = setUp();
		peer.admitted(connection);
		for (const target of ["slow", "a"]) peer.push(call(target), 1);
		assert.deepEqual([peer.drop().length, peer.isHeld], [1, false]);
		peer.push(call("b"), 1);
		gates[0]?.resolve();
		await turn();
		peer.push(call("c"), 1);
		assert.deepEqual([taken, peer.drop()], [["slow"], []]);
	});
});
