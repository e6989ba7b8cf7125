// Writes down a small session of the version of the native link that is spoken now:
// npx tsx test/forwarding/recorded/record.ts > test/forwarding/recorded/v1-session.json
// Once more where no ACK of the proxy's stands in it: that is a matter of time.

import { ManualClock } from "../../../lib/base/index.js";
import { LINK_VERSIONS } from "../../../lib/forwarding/wire/index.js";
import { createServer } from "../../../lib/index.js";
import { Scene } from "../support/scene.js";
import { LinkTap } from "./link-tap.js";
import { framesOf, toldIn } from "./recording.js";
import { appHub, session, tellLoad } from "./scenario.js";

const scene = new Scene("native");
const clock = new ManualClock();
const hub = appHub({ trusted: ["127.0.0.1"] }, clock);
hub.on("connected", () => scene.watch.changed());
const server = createServer().map("/dotnetify", hub);
const { url } = await server.listen(0, "127.0.0.1");
const tap = await LinkTap.open(url, scene.watch);
const options = { secret: undefined, connectionPoolSize: 1, nativeLinks: true };
const proxy = await scene.proxy(tap.url, options);
const count = (from: "proxy" | "app", type: string): number =>
	framesOf(toldIn(tap.written), from).filter((frame) => frame.type === type).length;
let stopped: Promise<void> | undefined;
await session(scene, proxy, {
	count: (type) => count("proxy", type),
	closed: (clients) => scene.until(() => count("app", "closed") === clients),
	said: async (type) => {
		// Nothing was said of them: what it says first is that it has them.
		if (type === "load") await scene.until(() => hub.lifetime.size === count("proxy", "open"));
		if (type === "load") tellLoad(clock);
		await scene.until(() => count("app", type) === 1);
	},
	stopping: () => {
		stopped = server.close();
	},
});
await scene.until(() => toldIn(tap.written).some(({ segment }) => segment.kind === "bye"));
await scene.close();
await tap.close();
await stopped;
const end = tap.written.findIndex((each) => toldIn([each])[0]?.segment.kind === "bye");
const written = tap.written
	.slice(0, end + 1)
	.map(({ from, bytes }) => ({ from, hex: bytes.toString("hex") }));
console.log(JSON.stringify({ version: LINK_VERSIONS[1], written }, undefined, "\t"));
