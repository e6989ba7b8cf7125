import type { Connection } from "../../../lib/transports/index.js";
import { CONTRACT_SETTINGS, connectionContract } from "../../contracts/connection.js";
import { negotiated, openWebSocket, serve, WebSocketClient } from "../serve.js";

connectionContract("WebSockets", async () => {
	const served = await serve({
		...CONTRACT_SETTINGS,
		onConnection: (connection) => own(connection),
	});
	let own: (connection: Connection) => void = () => {};
	return {
		async open(listen) {
			own = (connection) => connection.listen(listen(connection));
			const { connectionToken } = await negotiated(served.port);
			return new WebSocketClient(await openWebSocket(served.port, `?id=${connectionToken}`));
		},
		get connections() {
			return served.endpoint.connections;
		},
		close: served.close,
	};
});
