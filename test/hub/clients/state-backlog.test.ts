import assert from "node:assert/strict";
import fc from "fast-check";
import { type Deferred, deferred } from "../../../lib/base/index.js";
import { ClientConnection } from "../../../lib/hub/clients/client-connection.js";
import { invocationOf } from "../../../lib/hub/clients/client-proxy.js";
import type { ClientWire } from "../../../lib/hub/clients/client-wire.js";
import { type Delivery, PreparedMessage } from "../../../lib/hub/clients/prepared-message.js";
import { MAX_HELD_BYTES, MAX_STATES_BEHIND } from "../../../lib/hub/clients/state-backlog.js";
import { jsonProtocol, MessageType } from "../../../lib/protocols/index.js";
import { FakeHost, identityOf } from "../fakes.js";

/** A wire that is as full as a test wants. */
class PacedWire implements ClientWire {
	readonly protocol = jsonProtocol;
	/** `full` is what asks those who can wait to wait; `slow` is more. */
	state: "free" | "full" | "slow" = "free";
	/** Called for each message that was sent, with its first argument. */
	readonly sent: [target: string, value: unknown][] = [];
	/** How often room was asked for. */
	asked = 0;
	#room: Deferred<void> | undefined;

	get isSlow(): boolean {
		return this.state === "slow";
	}

	send(message: PreparedMessage): void {
		const read = message.message;
		if (read.type === MessageType.Invocation) this.sent.push([read.target, read.arguments.first]);
	}

	writable(): Promise<void> | undefined {
		this.asked++;
		if (this.state === "free") return undefined;
		this.#room ??= deferred();
		return this.#room.promise;
	}

	become(state: PacedWire["state"]): void {
		this.state = state;
		if (state !== "free") return;
		this.#room?.resolve();
		this.#room = undefined;
	}

	close(): void {
		this.become("free");
	}
}

class Setting {
	readonly wire = new PacedWire();
	readonly host = new FakeHost();
	readonly client = new ClientConnection(identityOf("c"), this.wire, this.host);
	/** Keys that were asked for as a whole. */
	readonly asked: string[] = [];

	constructor() {
		this.host.stateSources.add((_client, key) => void this.asked.push(key));
	}

	send(kind: Delivery["kind"], key: string, value: unknown): void {
		const delivery = kind === "event" ? undefined : { kind, key };
		this.client.sendPrepared(new PreparedMessage(invocationOf(`${kind} ${key}`, [value]), delivery));
	}

	/** The wire has room, and what that brings has happened. */
	async free(): Promise<void> {
		this.wire.become("free");
		await turns();
	}

	take(): [string, unknown][] {
		return this.wire.sent.splice(0);
	}
}

async function turns(): Promise<void> {
	for (let turn = 0; turn < 12; turn++) await new Promise(setImmediate);
}

describe("hub/clients/state-backlog", () => {
	it("is not there while the wire has room, and asks nothing of it", () => {
		const setting = new Setting();
		for (const kind of ["event", "state", "whole", "change"] as const) setting.send(kind, "k", 1);
		setting.wire.become("full");
		setting.send("change", "k", 2);
		assert.deepEqual([setting.take().length, setting.wire.asked, setting.client.isBehind], [5, 0, false]);
	});

	it("leaves changes out from the first on, until the whole comes, which it asks for once when there is room", async () => {
		const setting = new Setting();
		setting.wire.become("slow");
		setting.send("change", "k", 1);
		setting.wire.become("full");
		setting.send("change", "k", 2);
		setting.send("change", "other", 1);
		setting.send("event", "k", 1);
		await turns();
		assert.deepEqual(setting.asked, []);
		await setting.free();
		setting.send("change", "k", 3);
		await turns();
		assert.deepEqual([setting.asked, setting.client.isBehind], [["k"], true]);
		setting.send("whole", "k", 4);
		setting.send("change", "k", 5);
		assert.deepEqual(setting.take(), [
			["change other", 1],
			["event k", 1],
			["whole k", 4],
			["change k", 5],
		]);
		assert.equal(setting.client.isBehind, false);
	});

	it("takes a whole that nobody asked for", async () => {
		const setting = new Setting();
		setting.wire.become("slow");
		setting.send("change", "k", 1);
		setting.wire.become("full");
		setting.send("whole", "k", 2);
		await setting.free();
		assert.deepEqual([setting.take(), setting.asked, setting.client.isBehind], [[["whole k", 2]], [], false]);
	});

	it("asks again where the whole came and there was no room", async () => {
		const setting = new Setting();
		setting.wire.become("slow");
		setting.send("whole", "k", 1);
		await setting.free();
		setting.wire.become("slow");
		setting.send("whole", "k", 2);
		await turns();
		assert.deepEqual(setting.asked, ["k"]);
		await setting.free();
		setting.send("whole", "k", 3);
		assert.deepEqual([setting.take(), setting.asked], [[["whole k", 3]], ["k", "k"]]);
	});

	it("keeps the newest value of a state, and sends it when there is room", async () => {
		const setting = new Setting();
		setting.wire.become("slow");
		for (const value of [1, 2]) setting.send("state", "k", value);
		for (const value of [1, 2]) setting.send("state", "l", value);
		await setting.free();
		assert.deepEqual(
			[setting.take(), setting.asked],
			[
				[
					["state k", 2],
					["state l", 2],
				],
				[],
			],
		);
		setting.send("state", "k", 3);
		assert.deepEqual([setting.take(), setting.client.isBehind], [[["state k", 3]], false]);
	});

	it("keeps the bytes of a value that somebody else has written, not the buffer that they are in", async () => {
		const setting = new Setting();
		setting.wire.become("slow");
		const bytes = jsonProtocol.write(invocationOf("t", [7]));
		const decode = (): never => assert.fail("not needed");
		const head = { type: MessageType.Invocation, invocationId: undefined };
		const written = { ...head, protocolName: "json", bytes, decode };
		setting.client.sendPrepared(PreparedMessage.written(written, { kind: "state", key: "k" }));
		bytes.fill(0);
		await setting.free();
		assert.deepEqual(setting.take(), [["t", 7]]);
	});

	it("keeps so many states and bytes, and queues what is beyond", () => {
		const setting = new Setting();
		setting.wire.become("slow");
		for (let key = 0; key <= MAX_STATES_BEHIND; key++) setting.send("change", `${key}`, key);
		setting.send("whole", "w", 1);
		setting.send("state", "s", 1);
		assert.deepEqual(
			setting.take().map(([target]) => target),
			[`change ${MAX_STATES_BEHIND}`, "whole w", "state s"],
		);
		const other = new Setting();
		other.wire.become("slow");
		const half = "x".repeat(MAX_HELD_BYTES / 2);
		for (const key of ["a", "b", "a"]) other.send("state", key, half);
		assert.deepEqual(
			other.take().map(([target]) => target),
			["state b"],
		);
	});

	it("does nothing for a client that is gone", async () => {
		const setting = new Setting();
		setting.wire.become("slow");
		setting.send("change", "k", 1);
		setting.send("state", "l", 1);
		void setting.client.ended({ kind: "lost" });
		await setting.free();
		assert.deepEqual([setting.take(), setting.asked], [[], []]);
	});

	it("brings some states up to date in one turn of the loop, and the others in later ones", async () => {
		const host = new FakeHost();
		const asked: string[] = [];
		host.stateSources.add((_client, key) => void asked.push(key));
		const wires = Array.from({ length: 120 }, () => new PacedWire());
		for (const [at, wire] of wires.entries()) {
			const client = new ClientConnection(identityOf(`${at}`), wire, host);
			wire.become("slow");
			client.sendPrepared(new PreparedMessage(invocationOf("t", []), { kind: "change", key: `${at}` }));
		}
		for (const wire of wires) wire.become("free");
		const inTurns: number[] = [];
		for (let before = 0; before < wires.length; before = asked.length) {
			await new Promise(setImmediate);
			if (asked.length > before) inTurns.push(asked.length - before);
		}
		assert.deepEqual(inTurns, [50, 50, 20]);
	});

	it("is never out of order, and stale never at rest, whatever the wire does (property)", async () => {
		const key = fc.constantFrom("k", "l");
		const step = fc.oneof(
			fc.record({ do: fc.constant("change" as const), key }),
			fc.record({ do: fc.constant("change" as const), key }),
			fc.record({ do: fc.constant("whole" as const), key }),
			fc.record({ do: fc.constant("event" as const), key }),
			fc.record({ do: fc.constant("answer" as const) }),
			fc.record({ do: fc.constant("turn" as const) }),
			fc.record({
				do: fc.constant("wire" as const),
				to: fc.constantFrom("free" as const, "full" as const, "slow" as const),
			}),
		);
		await fc.assert(
			fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
				const setting = new Setting();
				const versions: Record<string, number> = { k: 0, l: 0 };
				let events = 0;
				const answer = (): void => {
					for (const asked of setting.asked.splice(0)) setting.send("whole", asked, versions[asked]);
				};
				for (const each of steps) {
					if (each.do === "change") {
						versions[each.key] = (versions[each.key] ?? 0) + 1;
						setting.send("change", each.key, versions[each.key]);
					} else if (each.do === "whole") setting.send("whole", each.key, versions[each.key]);
					else if (each.do === "event") setting.send("event", each.key, events++);
					else if (each.do === "answer") answer();
					else if (each.do === "turn") await turns();
					else if (each.do === "wire") setting.wire.become(each.to);
				}
				await setting.free();
				answer();
				await turns();
				const shown: Record<string, number> = { k: 0, l: 0 };
				let heard = 0;
				for (const [target, value] of setting.take()) {
					const [kind, of = ""] = target.split(" ");
					if (kind === "event") assert.equal(value, heard++);
					// A change stands behind the one before it.
					else if (kind === "change") assert.equal(value, (shown[of] ?? 0) + 1);
					if (kind !== "event") shown[of] = value as number;
				}
				assert.deepEqual([shown, heard, setting.client.isBehind], [versions, events, false]);
			}),
			{ numRuns: 150 },
		);
	});
});
