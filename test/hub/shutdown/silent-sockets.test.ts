import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import type { Server } from "node:http";
import type { Socket } from "node:net";
import { SilentSockets } from "../../../lib/hub/shutdown/silent-sockets.js";

class FakeSocket extends EventEmitter {
	bytesRead = 0;
	isDestroyed = false;

	destroy(): void {
		this.isDestroyed = true;
		this.emit("close", false);
	}
}

describe("hub/shutdown/silent-sockets", () => {
	let server: EventEmitter;
	let silent: SilentSockets;
	beforeEach(() => {
		server = new EventEmitter();
		silent = new SilentSockets(server as Server);
	});

	const accepted = (): FakeSocket => {
		const socket = new FakeSocket();
		server.emit("connection", socket);
		return socket;
	};

	it("ends those over which nothing has come, and no others", () => {
		const [nothing, half, heard] = [accepted(), accepted(), accepted()];
		half.bytesRead = 1;
		silent.heard(heard as unknown as Socket);
		silent.destroy();
		assert.deepEqual([nothing.isDestroyed, half.isDestroyed, heard.isDestroyed], [true, false, false]);
	});

	it("leaves nothing on a socket that was heard, however often, and forgets one that has closed", () => {
		const [heard, closed] = [accepted(), accepted()];
		for (let times = 0; times < 2; times++) silent.heard(heard as unknown as Socket);
		assert.equal(heard.listenerCount("close"), 0);
		closed.emit("close", false);
		silent.destroy();
		assert.equal(closed.isDestroyed, false);
	});
});
