import { type Call, messagesOf } from "../messages.js";
import type { Sizes } from "../settings.js";
import type { StandKind } from "../stand.js";
import { HUB_PATH } from "../subject/role.js";
import type { Trial } from "../trial.js";

const MESSAGE_BYTES = 150;

/** What the caller gets back from the app server's hub: a call of the client's method. */
export interface Push {
	/** The hub's method that makes it. */
	readonly method: "push" | "answer";
	readonly title: string;
}

/** A client's method of any name: the native link carries it. */
export const PLAIN_PUSH: Push = { method: "push", title: "a client call back" };
/** `Response_VM`: all that dotNetify's wire carries. */
export const RESPONSE_PUSH: Push = { method: "answer", title: "a `Response_VM` back" };

/** Who relays, and what. */
export type RelayRow = "send" | "invoke" | "haproxy" | "nginx" | "ws-relay";

const STANDS: Readonly<Record<RelayRow, StandKind>> = {
	send: "proxy",
	invoke: "proxy",
	haproxy: "haproxy",
	nginx: "nginx",
	"ws-relay": "ws-relay",
};

/** Next to each other stand the rows whose ratio counts most. */
export const RELAY_ROWS: readonly RelayRow[] = ["haproxy", "send", "invoke", "nginx", "ws-relay"];

/** What a row is called. */
export function rowTitle(row: RelayRow, push: Push): string {
	const titles: Readonly<Record<RelayRow, string>> = {
		send: `ours: \`send\`, ${push.title}`,
		invoke: "ours: `invoke`",
		haproxy: "HAProxy, TCP mode",
		nginx: "nginx, WebSocket mode",
		"ws-relay": "`ws` relay in Node, 1:1",
	};
	return titles[row];
}

function callOf(row: RelayRow, push: Push): Call {
	const argumentsOf = (text: string): readonly unknown[] => [text];
	return row === "send"
		? { target: push.method, isInvoked: false, argumentsOf }
		: { target: "echo", isInvoked: true, argumentsOf };
}

/** How many talk, and how much each. */
export interface Extent {
	readonly clients: number;
	readonly outstanding: number;
}

/** All sizes that are measured. */
export function extentsOf({ relayClients, outstanding: each }: Sizes): Extent[] {
	return each.flatMap((outstanding) => relayClients.map((clients) => ({ clients, outstanding })));
}

/** A row's trial. Relays of bytes pass the same message, and get it back as it is. */
export function relayTrial(row: RelayRow, extent: Extent, push: Push): Trial {
	const stand = STANDS[row];
	const isOurs = stand === "proxy";
	return {
		name: `${rowTitle(row, push)}; ${extent.clients} clients, ${extent.outstanding} outstanding`,
		stand,
		job: {
			...{ path: isOurs ? HUB_PATH : "/", protocol: isOurs ? "json" : "none", ...extent },
			...{ setup: undefined, mode: "echo", answers: 1 },
			messages: messagesOf(callOf(row, push), MESSAGE_BYTES, "json"),
		},
	};
}
