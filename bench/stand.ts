import { randomBytes } from "node:crypto";
import { Child, type ChildOptions, MEASURED_CORE, OTHER_CORE, pinningObstacle } from "./children.js";
import { ASPNET_COMMAND } from "./competitors/build-aspnet.js";
import { type BalancerName, startBalancer } from "./relay/programs.js";
import type { SubjectRole } from "./subject/role.js";

/** Which servers stand, and which of them is measured. */
export type StandKind =
	| ("ws" | "ws-json" | "direct" | "proxy" | "proxy-dotnetify" | "behind-proxy")
	| ("aspnet" | "socket-io")
	| ("ws-relay" | BalancerName);

/** Servers that run. */
export interface Stand {
	readonly kind: StandKind;
	/** Where clients connect. */
	readonly port: number;
	readonly measured: Child;
	/** The other server, on the load's core. */
	readonly other: Child | undefined;
	/** Where the other server listens, if it is behind the measured one. */
	readonly directPort?: number;
	stop(): Promise<void>;
}

/** What the core plan of this machine is, found out once. */
const isPinned = pinningObstacle() === undefined;

/** Known to the servers of this run only. */
const env = { LINK_SECRET: randomBytes(24).toString("hex") };

/** Starts a server on a core, with flags of Node's. */
export async function startSubject(
	name: string,
	parameter: SubjectRole,
	{ core, flags }: Partial<Pick<ChildOptions, "core" | "flags">> = {},
): Promise<{ child: Child; port: number; stop(): Promise<void> }> {
	const child = new Child(name, {
		program: "subject/main",
		...{ parameter, flags, core: isPinned ? core : undefined },
		env,
	});
	return { child, port: Number(await child.started()), stop: () => child.stop() };
}

/** Starts the load's process. */
export function startLoad(): Promise<Child> {
	return startClients("load", "load/main");
}

/** Starts a process of clients, on the core of all that is not measured. */
export async function startClients(name: string, program: string): Promise<Child> {
	const child = new Child(name, { program, core: isPinned ? OTHER_CORE : undefined });
	await child.started();
	return child;
}

/** Starts what takes half of the measured process's core; nothing where processes are not pinned. */
export async function startBallast(): Promise<Child | undefined> {
	if (!isPinned) return undefined;
	const child = new Child("ballast", { program: "subject/ballast", core: MEASURED_CORE });
	await child.started();
	return child;
}

type Flags = ChildOptions["flags"];

/** Starts what one row is measured on; `flags` are for those of its servers that are Node's. */
export async function startStand(kind: StandKind, flags?: Flags): Promise<Stand> {
	if (kind === "ws" || kind === "ws-json") return single(kind, flags, { role: kind });
	if (kind === "direct") return single(kind, flags, { role: "app-server" });
	if (kind === "aspnet") return foreign(kind, "ASP.NET Core", { program: ASPNET_COMMAND });
	if (kind === "socket-io") return foreign(kind, "Socket.IO", { program: "competitors/socket-io", flags });
	if (kind === "ws-relay" || kind === "haproxy" || kind === "nginx") return relay(kind);
	const isBehind = kind === "behind-proxy";
	const [appCore, proxyCore] = isBehind ? [MEASURED_CORE, OTHER_CORE] : [OTHER_CORE, MEASURED_CORE];
	const app = await startSubject("app server", { role: "app-server" }, { core: appCore, flags });
	const proxy = await startSubject(
		"proxy",
		{
			role: "proxy",
			appServer: `http://127.0.0.1:${app.port}`,
			wire: kind === "proxy-dotnetify" ? "dotnetify" : "native",
		},
		{ core: proxyCore, flags },
	);
	const [measured, other] = isBehind ? [app.child, proxy.child] : [proxy.child, app.child];
	return {
		...{ kind, port: proxy.port, measured, other, directPort: app.port },
		async stop() {
			await proxy.stop();
			await app.stop();
		},
	};
}

/** A relay that knows nothing of hubs, in front of an echo. */
async function relay(kind: "ws-relay" | BalancerName): Promise<Stand> {
	const echo = await startSubject("echo server", { role: "raw-echo" }, { core: OTHER_CORE });
	const { child, port, stop } =
		kind === "ws-relay"
			? await startSubject("ws relay", { role: kind, target: echo.port }, { core: MEASURED_CORE })
			: await startBalancer(kind, echo.port, isPinned ? MEASURED_CORE : undefined);
	return {
		...{ kind, port, measured: child, other: echo.child, directPort: echo.port },
		async stop() {
			await stop();
			await echo.stop();
		},
	};
}

/** A server of another maker, which needs no parameter. */
async function foreign(
	kind: StandKind,
	name: string,
	program: Pick<ChildOptions, "program" | "flags">,
): Promise<Stand> {
	const child = new Child(name, { ...program, core: isPinned ? MEASURED_CORE : undefined });
	const port = Number(await child.started());
	return { kind, port, measured: child, other: undefined, stop: () => child.stop() };
}

async function single(kind: StandKind, flags: Flags, role: SubjectRole): Promise<Stand> {
	const name = kind === "direct" ? "app server" : "ws server";
	const { child, port } = await startSubject(name, role, { core: MEASURED_CORE, flags });
	return { kind, port, measured: child, other: undefined, stop: () => child.stop() };
}
