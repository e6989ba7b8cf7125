import assert from "node:assert/strict";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { type WebSocket, WebSocketServer } from "ws";
import { Child } from "../../bench/children.js";
import type { LoadJob, WindowResult } from "../../bench/load/job.js";
import { messagesOf } from "../../bench/messages.js";

const CALL = { target: "echo", isInvoked: true, argumentsOf: (text: string) => [text] };
const WINDOW = { kind: "measure", window: { warmUpMs: 10, windowMs: 50, pids: [process.pid] } };

/** Starts a server, has a load measure it, and stops both. */
async function measure(answer: (socket: WebSocket, data: Buffer) => void): Promise<WindowResult> {
	const server = new WebSocketServer({ host: "127.0.0.1", port: 0 });
	server.on("connection", (socket) => socket.on("message", (data: Buffer) => answer(socket, data)));
	await once(server, "listening");
	const child = new Child("load", { program: "load/main", core: undefined });
	const job: LoadJob = {
		...{ port: (server.address() as AddressInfo).port, path: "/", protocol: "none", clients: 3 },
		...{ setup: undefined, mode: "echo", outstanding: 4, answers: 1, isSpinning: true },
		messages: messagesOf(CALL, 150, "json"),
	};
	try {
		await child.started();
		await child.ask({ kind: "connect", job } as { readonly kind: string });
		return (await child.ask(WINDOW)) as WindowResult;
	} finally {
		await child.stop();
		server.close();
	}
}

describe("bench/load/main", function () {
	this.timeout(20_000);

	it("counts as many answers as messages, and the CPU time of the process that it is asked about", async () => {
		const result = await measure((socket, data) => socket.send(data, { binary: false }));
		assert.ok(result.messages > 0);
		assert.equal(result.received, result.sent);
		assert.ok(result.p50Us > 0);
		assert.ok(result.p99Us >= result.p50Us);
		assert.equal(result.processes[0]?.pid, process.pid);
	});

	it("fails when an answer comes twice", async () => {
		let count = 0;
		const twice = measure((socket, data) => {
			socket.send(data);
			if (++count === 20) socket.send(data);
		});
		await assert.rejects(twice, /answers are not even: \d+ of \d+ answers came/);
	});

	it("fails when the server ends a connection", async () => {
		let count = 0;
		const closing = measure((socket, data) => {
			if (++count === 20) socket.close();
			else socket.send(data);
		});
		await assert.rejects(closing, /^Error: the load failed at "measure": the server sent a Close frame/);
	});
});
