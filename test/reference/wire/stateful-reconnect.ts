import assert from "node:assert/strict";
import { HttpTransportType, HubConnectionBuilder, LogLevel } from "@microsoft/signalr";
import { type ClientOptions, WebSocket } from "ws";
import { negotiate } from "../http-client.js";
import type { RawClient } from "../raw-client.js";
import type { Scene } from "../scene.js";

const CLOSED = { type: 7, error: "Connection closed with an error.", allowReconnect: true };
const call = (invocationId: string): object => ({ type: 1, invocationId, target: "Add", arguments: [1, 2] });
const answer = (invocationId: string): object => ({ type: 3, invocationId, result: 3 });

const isAck = (said: unknown): boolean => (said as { readonly type: number }).type === 8;

/** An Ack comes in its own time, which may be before the answers. */
function acksLast(said: readonly unknown[]): unknown[] {
	return [...said.filter((message) => !isAck(message)), ...said.filter(isAck)];
}

/** Stateful reconnect by hand. */
export function statefulReconnectContract(scene: () => Scene): void {
	describe("stateful reconnect", () => {
		let path: string;
		let id: string;
		const open = async (version: number, hub = "/stateful"): Promise<RawClient> => {
			const query = "negotiateVersion=1&useStatefulReconnect=true";
			const { connectionId, connectionToken = "" } = await negotiate(scene().subject.url + hub, query);
			id = connectionId;
			path = `${hub}?id=${encodeURIComponent(connectionToken)}`;
			const raw = await scene().socket(path);
			await raw.handshake(version);
			return raw;
		};
		/** The connection's socket is gone, and the hub knows it. */
		const cut = async (raw: RawClient): Promise<void> => {
			raw.webSocket.terminate();
			await raw.closed;
			await scene().meanwhile();
		};

		it("acknowledges what it got", async () => {
			const raw = await open(2, "/acknowledging");
			raw.send(call("1"), call("2"), { type: 6 });
			assert.deepEqual(acksLast(await raw.take(3)), [answer("1"), answer("2"), { type: 8, sequenceId: 2 }]);
			raw.send(call("3"));
			assert.deepEqual(acksLast(await raw.take(2)), [answer("3"), { type: 8, sequenceId: 3 }]);
		});

		it("sends again what was not acknowledged, behind its Sequence", async () => {
			const raw = await open(2);
			raw.send(call("1"), call("2"), call("3"));
			await raw.take(3);
			raw.send({ type: 8, sequenceId: 2 });
			raw.send(call("4"));
			assert.deepEqual(await raw.next(), answer("4"));
			await cut(raw);
			const again = await scene().socket(path);
			again.send({ type: 9, sequenceId: 5 });
			assert.deepEqual(await again.take(3), [{ type: 9, sequenceId: 3 }, answer("3"), answer("4")]);
			again.send(call("5"));
			assert.deepEqual(await again.next(), answer("5"));
			assert.deepEqual(await scene().reached(id, 0), ["connected"]);
		});

		it("names the next message in its Sequence where all were acknowledged", async () => {
			const raw = await open(2);
			raw.send(call("1"));
			await raw.next();
			raw.send({ type: 8, sequenceId: 1 }, call("2"));
			assert.deepEqual(await raw.next(), answer("2"));
			raw.send({ type: 8, sequenceId: 2 }, { type: 6 });
			await cut(raw);
			const again = await scene().socket(path);
			again.send({ type: 9, sequenceId: 3 }, call("3"));
			assert.deepEqual(await again.take(2), [{ type: 9, sequenceId: 3 }, answer("3")]);
		});

		it("keeps what it sends while the client is away, and runs methods on", async () => {
			const raw = await open(2);
			const gate = scene().unique();
			raw.invoke("1", "Hold", gate);
			await scene().reached(gate, 1);
			await cut(raw);
			await scene().release(gate);
			await scene().reached(gate, 2);
			const again = await scene().socket(path);
			again.send({ type: 9, sequenceId: 2 });
			const held = { type: 3, invocationId: "1", result: gate };
			assert.deepEqual(await again.take(2), [{ type: 9, sequenceId: 1 }, held]);
		});

		it("drops what a client sends again although it has it", async () => {
			const raw = await open(2);
			const scope = scene().unique();
			const note = (text: string): object => ({ type: 1, target: "Note", arguments: [scope, text] });
			raw.send(note("1"), note("2"));
			await scene().reached(scope, 2);
			await cut(raw);
			const again = await scene().socket(path);
			again.send({ type: 9, sequenceId: 2 }, note("2"), note("3"));
			await again.next();
			assert.deepEqual(await scene().reached(scope, 3), ["1", "2", "3"]);
		});

		it("ends a client whose Sequence leaves a gap", async () => {
			const raw = await open(2);
			raw.send(call("1"));
			await raw.next();
			await cut(raw);
			const again = await scene().socket(path);
			again.send({ type: 9, sequenceId: 3 });
			assert.deepEqual((await again.last()).said.at(-1), CLOSED);
		});

		it("lets a new socket take over from one that only seems alive", async () => {
			const raw = await open(2);
			raw.send(call("1"));
			await raw.next();
			if (!scene().subject.deviates("socket that only seems alive")) {
				await assert.rejects(scene().socket(path), /404/);
				assert.equal(await raw.closed, "1000 ");
				return;
			}
			const again = await scene().socket(path);
			again.send({ type: 9, sequenceId: 2 }, call("2"));
			assert.deepEqual(await again.take(3), [{ type: 9, sequenceId: 1 }, answer("1"), answer("2")]);
			await raw.closed;
			assert.deepEqual(await scene().reached(id, 0), ["connected"]);
		});

		it("ends a client that sends before its Sequence", async () => {
			const raw = await open(2);
			raw.send(call("1"));
			await raw.next();
			await cut(raw);
			const again = await scene().socket(path);
			again.send(call("2"));
			const isEnded = scene().subject.deviates("messages before the Sequence");
			const first = [{ type: 9, sequenceId: 1 }, answer("1")];
			assert.deepEqual(await again.take(3), [...first, isEnded ? CLOSED : answer("2")]);
		});

		it("ends a client that counts what never was", async () => {
			const isEnded = scene().subject.deviates("numbers that cannot be");
			const raw = await open(2);
			raw.send({ type: 8, sequenceId: 50 }, call("1"));
			assert.deepEqual(await raw.next(), isEnded ? CLOSED : answer("1"));
			const other = await open(2);
			other.send(call("1"));
			await other.next();
			await cut(other);
			const again = await scene().socket(path);
			await again.take(2);
			again.send({ type: 9, sequenceId: 0 }, call("2"), call("3"), call("4"));
			// Theirs takes two calls for messages 0 and 1, which it has.
			assert.deepEqual(await again.next(), isEnded ? CLOSED : answer("4"));
		});

		it("carries the stock client over a lost socket, its calls and what it is sent", async () => {
			const sockets: WebSocket[] = [];
			class Cuttable extends WebSocket {
				constructor(url: string, protocols: string[] | undefined, options: ClientOptions) {
					super(url, protocols, options);
					sockets.push(this);
				}
			}
			const connection = new HubConnectionBuilder()
				.withUrl(`${scene().subject.url}/stateful`, {
					transport: HttpTransportType.WebSockets,
					// Not in the client's types.
					...({ WebSocket: Cuttable } as object),
				})
				.withStatefulReconnect()
				.configureLogging(LogLevel.None)
				.build();
			await connection.start();
			const connectionId = connection.connectionId;
			const gate = scene().unique();
			const held = connection.invoke("Hold", gate);
			await scene().reached(gate, 1);
			sockets[0]?.terminate();
			await scene().meanwhile();
			await scene().release(gate);
			assert.equal(await held, gate);
			assert.deepEqual(await connection.invoke("WhoAmI"), [connectionId, null]);
			assert.equal(sockets.length, 2);
			await connection.stop();
		});

		it("is off for a handshake of version 1", async () => {
			const raw = await open(1);
			raw.send(call("1"));
			await raw.next();
			await cut(raw);
			assert.match((await scene().reached(id, 2))[1] ?? "", /^disconnected: /);
			await assert.rejects(scene().socket(path), /404/);
		});

		it("is off once either side has closed in order", async () => {
			const raw = await open(2);
			raw.webSocket.close();
			await raw.closed;
			assert.deepEqual(await scene().reached(id, 2), ["connected", "disconnected: in order"]);
			await assert.rejects(scene().socket(path), /404/);
			const other = await open(2);
			other.invoke("1", "AbortMe");
			await other.closed;
			await scene().reached(id, 2);
			await assert.rejects(scene().socket(path), /404/);
		});
	});
}
