import assert from "node:assert/strict";
import { HubConnectionState } from "@microsoft/signalr";
import type { Scene } from "../scene.js";
import { failureOf } from "../scene.js";

/** How connections begin and end. */
export function lifetimeContract(scene: () => Scene): void {
	describe("lifetime", () => {
		it("tells the hub of a client that comes, and that it goes in order", async () => {
			const client = await scene().connect();
			assert.deepEqual(await scene().reached(client.id, 1), ["connected"]);
			await client.connection.stop();
			assert.deepEqual(await scene().reached(client.id, 2), ["connected", "disconnected: in order"]);
		});

		it("gives every connection an id of its own, 22 characters long", async () => {
			const clients = await Promise.all([scene().connect(), scene().connect()]);
			for (const { id } of clients) assert.match(id, /^[\w-]{22}$/);
			assert.notEqual(clients[0].id, clients[1].id);
		});

		it("sends what the hub says when a client comes before its first answer", async () => {
			const client = await scene().connect({ path: "/hub?welcome" });
			assert.deepEqual(await client.heard(1), ["welcome"]);
			assert.equal(await client.connection.invoke("Add", 1, 2), 3);
		});

		it("lets a client's messages wait until the hub has welcomed it", async () => {
			const [gate, scope] = [scene().unique(), scene().unique()];
			const client = await scene().connect({ path: `/hub?gate=${gate}` });
			const noted = client.connection.invoke("Note", scope, "called");
			await scene().reached(client.id, 1);
			await scene().meanwhile();
			assert.deepEqual(await scene().reached(scope, 0), []);
			await scene().release(gate);
			await noted;
			assert.deepEqual(await scene().reached(scope, 1), ["called"]);
		});

		for (const [query, text] of [
			["refuse=not%20you", " HubException: not you"],
			["break", ""],
		]) {
			it(`ends a client that the hub refuses when it comes (${query}), and never says that it went`, async () => {
				const scope = scene().unique();
				const connection = scene().build({ path: `/hub?${query}&scope=${scope}`, reconnects: true });
				const closed = new Promise<string | undefined>((resolve) =>
					connection.onclose((error) => resolve(error?.message)),
				);
				// A client that reads of its end together with the handshake's answer never counts as started.
				const ended = connection.start().then(
					() => closed,
					(error: Error) => error.message,
				);
				assert.equal(
					await ended,
					`Server returned an error on close: Connection closed with an error.${text}`,
				);
				const [id = ""] = await scene().reached(scope, 1);
				await scene().meanwhile();
				assert.deepEqual(await scene().reached(id, 1), ["connected"]);
			});
		}

		it("ends a client that the hub aborts, which does not come back", async () => {
			const client = await scene().connect({ reconnects: true });
			await client.connection.send("AbortMe");
			assert.equal(await client.closed, undefined);
			assert.equal(client.connection.state, HubConnectionState.Disconnected);
			assert.deepEqual(await scene().reached(client.id, 2), ["connected", "disconnected: in order"]);
		});

		it("ends a client that sends too much at once, which may come back", async () => {
			const client = await scene().connect();
			await client.connection.send("LengthOf", "x".repeat(40_000));
			assert.equal(
				await client.closed,
				"Server returned an error on close: Connection closed with an error.",
			);
			const other = await scene().connect({ reconnects: true });
			const back = new Promise<string | undefined>((resolve) => other.connection.onreconnected(resolve));
			await other.connection.send("LengthOf", "x".repeat(40_000));
			assert.notEqual(await back, other.id);
			assert.equal(await other.connection.invoke("Add", 1, 2), 3);
		});

		it("fails what a client that goes still waited for", async () => {
			const client = await scene().connect();
			const gate = scene().unique();
			const held = failureOf(client.connection.invoke("Hold", gate));
			await scene().reached(gate, 1);
			await client.connection.stop();
			assert.match(await held, /Invocation canceled/);
			assert.deepEqual(await scene().reached(client.id, 2), ["connected", "disconnected: in order"]);
			await scene().release(gate);
		});

		it("lets a client come back, as another connection", async () => {
			const client = await scene().connect();
			await client.connection.stop();
			await client.connection.start();
			assert.equal(await client.connection.invoke("Add", 1, 2), 3);
			assert.notEqual(client.connection.connectionId, client.id);
		});
	});
}
