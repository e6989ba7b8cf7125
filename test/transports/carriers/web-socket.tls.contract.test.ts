import { once } from "node:events";
import { createServer } from "node:https";
import { WebSocket } from "ws";
import type { Connection } from "../../../lib/transports/index.js";
import { CONTRACT_SETTINGS, connectionContract } from "../../contracts/connection.js";
import { serve, WebSocketClient } from "../serve.js";

/** A key that both sides know needs no certificate. */
const PSK = Buffer.from("only for the tests");
const TLS = { ciphers: "PSK-AES128-GCM-SHA256", maxVersion: "TLSv1.2" } as const;

connectionContract("WebSockets over TLS", async () => {
	let own: (connection: Connection) => void = () => {};
	const served = await serve(
		{ ...CONTRACT_SETTINGS, onConnection: (connection) => own(connection) },
		(listener) => createServer({ ...TLS, pskCallback: () => PSK }, listener),
	);
	return {
		protocol: "https",
		async open(listen) {
			own = (connection) => connection.listen(listen(connection));
			// The types of ws know nothing of what it passes on to tls.connect.
			const tls: object = {
				...TLS,
				pskCallback: () => ({ psk: PSK, identity: "client" }),
				checkServerIdentity: () => undefined,
			};
			const url = `wss://127.0.0.1:${served.port}/chat`;
			const webSocket = new WebSocket(url, { ...tls, perMessageDeflate: false });
			await once(webSocket, "open");
			return new WebSocketClient(webSocket);
		},
		get connections() {
			return served.endpoint.connections;
		},
		close: served.close,
	};
});
