import type { ClientWire, PreparedMessage } from "../../lib/hub/index.js";
import { createServer } from "../../lib/index.js";
import {
	Arguments,
	type CompletionMessage,
	type HubMessage,
	MessageType,
} from "../../lib/protocols/index.js";
import { type ClientEnd, clientConnectionContract } from "../contracts/client-connection.js";
import { identityOf } from "./fakes.js";
import { RawClient } from "./live.js";

class Heard {
	readonly told: string[] = [];
	readonly answers = new Map<string, unknown>();

	take(message: HubMessage): void {
		if (message.type === MessageType.Invocation) this.told.push(message.target);
		if (message.type === MessageType.Completion) this.#answer(message);
	}

	#answer({ invocationId, error, result }: CompletionMessage): void {
		this.answers.set(invocationId, error ?? result);
	}
}

clientConnectionContract("a socket of its own", async (hub) => {
	const server = createServer().map("/chat", hub);
	const { port } = await server.listen(0, "127.0.0.1");
	return {
		async open(): Promise<ClientEnd> {
			const raw = await RawClient.open(port);
			await raw.handshake();
			const heard = new Heard();
			raw.webSocket.on("message", () => {
				for (const record of raw.records.splice(0)) heard.take(JSON.parse(record));
			});
			return {
				told: heard.told,
				answers: heard.answers,
				invoke: (invocationId, target, ...args) => raw.invoke(invocationId, target, ...args),
				leave: () => raw.webSocket.close(),
			};
		},
		close: () => server.close(),
	};
});

clientConnectionContract("a virtual wire", async () => {
	let ids = 0;
	return {
		async open(hub): Promise<ClientEnd> {
			const heard = new Heard();
			const wire: ClientWire = {
				send: (message: PreparedMessage) => heard.take(message.message),
				close: () => {},
			};
			const client = hub.open(identityOf(`virtual ${ids++}`), wire);
			return {
				told: heard.told,
				answers: heard.answers,
				invoke: (invocationId, target, ...args) =>
					void client.receive({
						type: MessageType.Invocation,
						invocationId,
						target,
						arguments: Arguments.of(args),
					}),
				leave: () => void client.ended({ kind: "closed" }),
			};
		},
		close: async () => {},
	};
});
