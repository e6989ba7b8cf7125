import { randomBytes } from "node:crypto";
import { Child, type ChildOptions, MEASURED_CORE, OTHER_CORE, pinningObstacle } from "./children.js";
import { ASPNET_COMMAND } from "./competitors/build-aspnet.js";
import type { SubjectRole } from "./subject/role.js";

/** Which servers stand, and which of them is measured. */
export type StandKind =
	| ("ws" | "ws-json" | "direct" | "proxy" | "proxy-messagepack" | "behind-proxy")
	| ("aspnet" | "socket-io");

/** Servers that run. */
export interface Stand {
	readonly kind: StandKind;
	/** Where clients connect. */
	readonly port: number;
	readonly measured: Child;
	/** The other server, on the load's core. */
	readonly other: Child | undefined;
	stop(): Promise<void>;
}

/** What the core plan of this machine is, found out once. */
const isPinned = pinningObstacle() === undefined;

/** Known to the servers of this run only. */
const env = { LINK_SECRET: randomBytes(24).toString("hex") };

/** Starts a server on a core. */
export async function startSubject(
	name: string,
	parameter: SubjectRole,
	core: number,
): Promise<{ child: Child; port: number }> {
	const child = new Child(name, {
		program: "subject/main",
		parameter,
		core: isPinned ? core : undefined,
		env,
	});
	return { child, port: Number(await child.started()) };
}

/** Starts the load's process. */
export async function startLoad(): Promise<Child> {
	const child = new Child("load", { program: "load/main", core: isPinned ? OTHER_CORE : undefined });
	await child.started();
	return child;
}

/** Starts what one row is measured on. */
export async function startStand(kind: StandKind): Promise<Stand> {
	if (kind === "ws" || kind === "ws-json") return single(kind, "ws server", { role: kind });
	if (kind === "direct") return single(kind, "app server", { role: "app-server" });
	if (kind === "aspnet") return foreign(kind, "ASP.NET Core", ASPNET_COMMAND);
	if (kind === "socket-io") return foreign(kind, "Socket.IO", "competitors/socket-io");
	const isBehind = kind === "behind-proxy";
	const app = await startSubject("app server", { role: "app-server" }, isBehind ? MEASURED_CORE : OTHER_CORE);
	const proxy = await startSubject(
		"proxy",
		{
			role: "proxy",
			appServer: `http://127.0.0.1:${app.port}`,
			useMessagePack: kind === "proxy-messagepack",
		},
		isBehind ? OTHER_CORE : MEASURED_CORE,
	);
	const [measured, other] = isBehind ? [app.child, proxy.child] : [proxy.child, app.child];
	return {
		...{ kind, port: proxy.port, measured, other },
		async stop() {
			await proxy.child.stop();
			await app.child.stop();
		},
	};
}

/** A server of another maker, which needs no parameter. */
async function foreign(kind: StandKind, name: string, program: ChildOptions["program"]): Promise<Stand> {
	const child = new Child(name, { program, core: isPinned ? MEASURED_CORE : undefined });
	const port = Number(await child.started());
	return { kind, port, measured: child, other: undefined, stop: () => child.stop() };
}

async function single(kind: StandKind, name: string, role: SubjectRole): Promise<Stand> {
	const { child, port } = await startSubject(name, role, MEASURED_CORE);
	return { kind, port, measured: child, other: undefined, stop: () => child.stop() };
}
