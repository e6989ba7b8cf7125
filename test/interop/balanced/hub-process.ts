// A hub in a process of its own, as one of several behind a load balancer. It says its port by IPC, and `drain` makes
// /ready answer 404.
import { createHub, createServer } from "../../../lib/index.js";

const { SERVER_ID, TOKEN_SECRET = "" } = process.env;
let readiness = 200;

const hub = createHub()({
	serverId: SERVER_ID,
	tokenSecrets: [TOKEN_SECRET],
	trustProxy: ["loopback"],
	methods: {
		where: ({ connectionId, connection }) => ({
			...{ serverId: SERVER_ID, connectionId },
			...{ ip: connection.request.ip, host: connection.request.host },
		}),
		echo: (_ctx, text: string) => text,
	},
});
const server = createServer().map("/dotnetify", hub);
server.app.use((ctx) => {
	ctx.status = ctx.path === "/ready" ? readiness : 200;
	ctx.body = SERVER_ID;
});
process.on("message", (message) => {
	if (message === "drain") readiness = 404;
});
// A parent that is gone, however it went, takes this process with it.
process.once("disconnect", () => process.exit());

const { port } = await server.listen(0, "127.0.0.1");
process.send?.({ port });
