import { acceptLinks, useForwarding } from "../../../lib/forwarding/index.js";
import type { ClientWire, Hub, PreparedMessage } from "../../../lib/hub/index.js";
import { createHub, createServer, type Server } from "../../../lib/index.js";
import {
	Arguments,
	type CompletionMessage,
	type HubMessage,
	MessageType,
} from "../../../lib/protocols/index.js";
import {
	type ClientEnd,
	type ClientFixture,
	clientConnectionContract,
} from "../../contracts/client-connection.js";
import { identityOf } from "../fakes.js";
import { RawClient } from "../live.js";

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
	return { open: () => openSocket(port), close: () => server.close() };
});

clientConnectionContract("a native link", (hub) => behindProxies(hub, 1));
clientConnectionContract("a chain of native links", (hub) => behindProxies(hub, 2));

/** Clients connect to the outermost of so many proxies. */
async function behindProxies(app: Hub, count: number): Promise<ClientFixture> {
	const secret = "a secret that only tests know";
	const servers: Server[] = [];
	let port = 0;
	const start = async (hub: Hub): Promise<void> => {
		const server = createServer().map("/chat", hub.use(acceptLinks({ secrets: [secret] })));
		servers.unshift(server);
		({ port } = await server.listen(0, "127.0.0.1"));
	};
	await start(app);
	for (let proxy = 0; proxy < count; proxy++)
		await start(createHub()().use(useForwarding(`http://127.0.0.1:${port}/chat`, { secret })));
	return {
		open: () => openSocket(port),
		async close() {
			for (const server of servers) await server.close();
		},
	};
}

async function openSocket(port: number): Promise<ClientEnd> {
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
}

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
