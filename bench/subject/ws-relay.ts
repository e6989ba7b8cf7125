// What a relay costs in Node that does no more than that: one socket to the server behind it for each client.
import { type RawData, WebSocket, WebSocketServer } from "ws";

function pass(from: WebSocket, to: WebSocket): void {
	from.on("message", (data: RawData, binary) => to.send(data, { binary }));
	from.on("close", () => to.terminate());
	from.on("error", () => from.terminate());
}

/** Listens, and resolves with the port. */
export function startWsRelay(target: number, host: string, backlog: number): Promise<number> {
	const server = new WebSocketServer({ host, port: 0, backlog, perMessageDeflate: false });
	server.on("connection", (client) => {
		const upstream = new WebSocket(`ws://${host}:${target}/`, { perMessageDeflate: false });
		client.pause();
		upstream.on("open", () => client.resume());
		pass(client, upstream);
		pass(upstream, client);
	});
	return new Promise((resolve, reject) => {
		server.once("error", reject);
		server.once("listening", () => resolve((server.address() as { port: number }).port));
	});
}
