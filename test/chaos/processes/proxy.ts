// A proxy of a stage: counts what it takes of each client, and forwards everything.
import { createViewModelHub } from "../../../lib/dotnetify/index.js";
import { replicas, useForwarding } from "../../../lib/forwarding/index.js";
import { createHub, createServer, type Hub } from "../../../lib/index.js";
import { keepBooks, run, settingsOf } from "./asked.js";
import { JournalWriter } from "./journal.js";
import { type ProxySettings, SECRET } from "./settings.js";

const { kind, url, forwarding, hub: options, port, spreadMs, ...settings } = settingsOf<ProxySettings>();
const journal = new JournalWriter(settings.journal, settings.incarnation);
const hub: Hub = kind === "views" ? createViewModelHub(options) : createHub()(options ?? {});
keepBooks(hub, journal);

const taken = new Map<string, number>();
hub.use(({ connectionId, target }, next) => {
	if (target === "note" || target === "echo") taken.set(connectionId, (taken.get(connectionId) ?? 0) + 1);
	return next();
});
const target = typeof url === "string" ? url : replicas(url, { pick: "round-robin" });
hub.use(useForwarding(target, { secret: SECRET, reconnect: { delaysMs: [0, 20, 50, 100] }, ...forwarding }));
await run({
	...{ hub, server: createServer(), port, journal, spreadMs },
	taken: () => Object.fromEntries(taken),
});
