import { setImmediate as nextTurn } from "node:timers/promises";
import { ManualClock } from "../../../lib/base/index.js";
import type { Connection } from "../../../lib/transports/index.js";
import { CONTRACT_SETTINGS, type ConnectionFixture, connectionContract } from "../../contracts/connection.js";
import { negotiated, type Served, serve } from "../serve.js";
import { LongPollingClient, ServerSentEventsClient } from "./http-clients.js";

/** A fixture whose clients `connect` makes for a token's path. */
async function fixtureOf(
	connect: (served: Served, path: string, clock: ManualClock) => ReturnType<ConnectionFixture["open"]>,
): Promise<ConnectionFixture> {
	const clock = new ManualClock();
	let own: (connection: Connection) => void = () => {};
	const served = await serve({
		...CONTRACT_SETTINGS,
		clock,
		maxConnectsPerSecond: null,
		onConnection: (connection) => own(connection),
	});
	return {
		async open(listen) {
			own = (connection) => connection.listen(listen(connection));
			const { connectionToken } = await negotiated(served.port);
			return await connect(served, `/chat?id=${connectionToken}`, clock);
		},
		get connections() {
			return served.endpoint.connections;
		},
		close: served.close,
	};
}

connectionContract("ServerSentEvents", () =>
	fixtureOf((served, path) => new ServerSentEventsClient({ port: served.port, path }).open()),
);

connectionContract("LongPolling", () =>
	fixtureOf((served, path, clock) => {
		const before = served.endpoint.connections;
		const abandon = async (): Promise<void> => {
			while (served.endpoint.connections > before) {
				clock.advance(15_000);
				await nextTurn();
			}
		};
		return new LongPollingClient({ port: served.port, path }, () => void abandon()).open();
	}),
);
