import assert from "node:assert/strict";
import { deferred } from "../../lib/base/index.js";
import { type ClientConnection, createHub, type Hub } from "../../lib/hub/index.js";
import { until } from "../hub/live.js";

/** The other end of a client connection under test. */
export interface ClientEnd {
	invoke(invocationId: string, target: string, ...args: readonly unknown[]): void;
	/** Targets that this client was asked to run, in order. */
	readonly told: readonly string[];
	/** Results and errors by invocation id. */
	readonly answers: ReadonlyMap<string, unknown>;
	/** Goes away. */
	leave(): void;
}

/** A way for clients to reach a hub. */
export interface ClientFixture {
	open(hub: Hub): Promise<ClientEnd>;
	close(): Promise<void>;
}

/** Runs what holds for every client of a hub, whatever wire it has. Call it at the top level of a test file. */
export function clientConnectionContract(
	name: string,
	openFixture: (hub: Hub) => Promise<ClientFixture>,
): void {
	describe(`contract/client-connection: ${name}`, () => {
		let fixture: ClientFixture;
		let gate = deferred();
		let hub: Hub;
		const started: unknown[] = [];
		const reasons: string[] = [];

		beforeEach(async () => {
			gate = deferred();
			started.length = 0;
			reasons.length = 0;
			hub = createHub()({
				methods: {
					echo: (_ctx, value: unknown) => value,
					slow: async (_ctx, at: unknown) => {
						started.push(at);
						await gate.promise;
					},
					join: (ctx, group: string) => ctx.groups.add(ctx.connectionId, group),
					tell: (ctx, group: string) => ctx.clients.group(group).send("group"),
					boom() {
						throw new Error("secret");
					},
				},
			});
			hub.on("disconnected", (_ctx, { kind }) => void reasons.push(kind));
			fixture = await openFixture(hub);
		});
		afterEach(() => {
			gate.resolve();
			return fixture.close();
		});

		async function connect(): Promise<{ end: ClientEnd; client: ClientConnection }> {
			const before = new Set(hub.lifetime);
			const end = await fixture.open(hub);
			await until(() => hub.lifetime.size > before.size);
			const client = [...hub.lifetime].find((known) => !before.has(known));
			assert(client);
			return { end, client };
		}

		it("answers invocations in order", async () => {
			const { end } = await connect();
			for (let at = 0; at < 20; at++) end.invoke(String(at), at % 5 === 4 ? "boom" : "echo", at);
			await until(() => end.answers.size === 20);
			assert.deepEqual(
				[...end.answers.keys()],
				Array.from({ length: 20 }, (_, at) => String(at)),
			);
			assert.equal(end.answers.get("3"), 3);
			assert.equal(end.answers.get("4"), "An unexpected error occurred invoking 'boom' on the server.");
		});

		it("is reached as one, as all and through its groups", async () => {
			const [first, second] = [await connect(), await connect()];
			first.end.invoke("1", "join", "g");
			await until(() => first.end.answers.size === 1);
			second.end.invoke("1", "tell", "g");
			await until(() => second.end.answers.size === 1);
			await hub.clients.client(second.client.connectionId).send("one");
			await hub.clients.all.send("all");
			await until(() => first.end.told.length === 2 && second.end.told.length === 2);
			assert.deepEqual(
				[first.end.told, second.end.told],
				[
					["group", "all"],
					["one", "all"],
				],
			);
		});

		it("runs one method at a time, and none after its end", async () => {
			const { end, client } = await connect();
			for (const at of [1, 2, 3]) end.invoke(String(at), "slow", at);
			await until(() => started.length === 1);
			client.abort();
			assert.equal(client.aborted.aborted, true);
			await until(() => reasons.length === 1);
			gate.resolve();
			await until(() => hub.lifetime.size === 0);
			assert.deepEqual([started, reasons, end.answers.size], [[1], ["closed"], 0]);
		});

		it("is forgotten when it leaves, with its groups", async () => {
			const { end, client } = await connect();
			await hub.groups.add(client.connectionId, "g");
			end.leave();
			await until(() => hub.lifetime.size === 0);
			assert.deepEqual([reasons, client.groups.size, client.aborted.aborted], [["closed"], 0, true]);
			await hub.clients.group("g").send("x");
			client.send("x");
		});
	});
}
