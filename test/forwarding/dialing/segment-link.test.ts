import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { ManualClock, silentLog, systemClock } from "../../../lib/base/index.js";
import { SegmentLink, type SegmentLinkListener } from "../../../lib/forwarding/dialing/segment-link.js";

const NOBODY: SegmentLinkListener = {
	up: () => {},
	bytes: () => {},
	down: () => {},
	refused: () => {},
	unknown: () => {},
};

describe("forwarding/dialing/segment-link", () => {
	it("takes a connection that cannot be built as an attempt that failed", async () => {
		const clock = new ManualClock();
		const reasons: unknown[] = [];
		const warn = (fields: object): void => void reasons.push((fields as Record<string, unknown>)["reason"]);
		const link = new SegmentLink(
			0,
			{
				...{ url: "ftp://nobody/x", secret: undefined, firstPlace: 0, clock },
				...{ reconnect: { delaysMs: [10], jitter: 0 }, log: { ...silentLog, warn, debug: warn } },
			},
			NOBODY,
		);
		link.open();
		for (let attempt = 1; attempt <= 3; attempt++) {
			clock.advance(10);
			assert.equal(reasons.length, attempt);
		}
		assert.deepEqual(new Set(reasons), new Set(["Cannot resolve 'ftp://nobody/x'."]));
		await link.close();
	});

	it("closes at once where its address takes the connection and never answers the upgrade", async () => {
		const server = createServer().listen(0, "127.0.0.1");
		await once(server, "listening");
		const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/x`;
		const link = new SegmentLink(
			0,
			{
				...{ url, secret: undefined, firstPlace: 0, clock: systemClock, log: silentLog },
				...{ reconnect: { delaysMs: [0], jitter: 0 }, connectTimeoutMs: 20_000 },
			},
			NOBODY,
		);
		link.open();
		const [socket] = (await once(server, "connection")) as [Socket];
		const gone = once(socket.on("error", () => {}).resume(), "close");
		await link.close();
		await gone;
		server.close();
	});
});
