// A proxy of the rolling deploy, before all app servers.
import { replicas, useForwarding } from "../../../lib/forwarding/index.js";
import { createHub, type Hub } from "../../../lib/index.js";
import { type ServeSettings, serve, settingsOf } from "./serve.js";

const settings = settingsOf<ServeSettings & { readonly secret: string; readonly urls: readonly string[] }>();
const hub: Hub = createHub()({});
const reconnect = { delaysMs: [0, 50, 100] };
hub.use(
	useForwarding(replicas(settings.urls, { pick: "round-robin" }), { secret: settings.secret, reconnect }),
);
await serve(hub, settings);
