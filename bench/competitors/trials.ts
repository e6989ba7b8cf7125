import { BARE_CASE, DIRECT_CASE, type IdleCase, JOINING } from "../idle.js";
import type { LoadJob } from "../load/job.js";
import { type Call, type MessageFormat, messageOf, messagesOf } from "../messages.js";
import type { Sizes } from "../settings.js";
import type { StandKind } from "../stand.js";
import { HUB_PATH, SOCKET_IO_PATH } from "../subject/role.js";
import type { Trial } from "../trial.js";

const ECHO_BYTES = 150;
const FAN_OUT_BYTES = 200;

const ECHO: Call = { target: "echo", isInvoked: true, argumentsOf: (text) => [text] };
const TO_ALL: Call = { target: "toAll", isInvoked: false, argumentsOf: (text) => [text] };

/** Who is compared, and how it is spoken with. */
interface Rival {
	readonly name: string;
	readonly stand: StandKind;
	readonly path: string;
	readonly protocol: LoadJob["protocol"];
	/** The first thing that it hears in a fan-out. */
	readonly setup: LoadJob["setup"];
}

const BARE: Rival = { name: "bare `ws`", stand: "ws", path: "/", protocol: "none", setup: undefined };
const OURS: Rival = { name: "ours", stand: "direct", path: HUB_PATH, protocol: "json", setup: JOINING };
const ASPNET: Rival = { ...OURS, name: "ASP.NET Core", stand: "aspnet" };
const SOCKET_IO: Rival = {
	...{ name: "Socket.IO", stand: "socket-io", path: SOCKET_IO_PATH, protocol: "socket.io" },
	setup: {
		message: messageOf({ target: "join", isInvoked: true, argumentsOf: () => [] }, "socket.io"),
		answers: 1,
	},
};

const ECHO_RIVALS: readonly Rival[] = [
	BARE,
	{ ...BARE, name: "bare `ws` + JSON.parse + JSON.stringify", stand: "ws-json" },
	OURS,
	{ ...OURS, name: "ours, messagepack", protocol: "messagepack" },
	ASPNET,
	SOCKET_IO,
];
const FAN_OUT_RIVALS: readonly Rival[] = [
	{ ...BARE, name: "bare `ws`, `send` per client" },
	OURS,
	ASPNET,
	SOCKET_IO,
];

function formatOf({ protocol }: Rival): MessageFormat {
	return protocol === "none" ? "json" : protocol;
}

/** "!" asks the bare server for a copy to everybody. */
function fanOutMessages(rival: Rival, count: number): string[] {
	if (rival.protocol !== "none") return messagesOf(TO_ALL, FAN_OUT_BYTES, formatOf(rival));
	const message = Buffer.from(`!${"x".repeat(FAN_OUT_BYTES - 2)}\u001e`).toString("base64");
	return new Array<string>(count).fill(message);
}

/** The same work for all of `stands`: calls that are answered. */
export function echoRows(sizes: Sizes, stands: ReadonlySet<StandKind>): Trial[] {
	const rivals = ECHO_RIVALS.filter(({ stand }) => stands.has(stand));
	return sizes.comparedEchoClients.flatMap((clients) =>
		sizes.outstanding.flatMap((outstanding) =>
			rivals.map((rival): Trial => {
				const { name, stand, path, protocol } = rival;
				return {
					...{ stand, name: `${name}, ${clients} clients, ${outstanding} outstanding` },
					job: {
						...{ path, protocol, clients, outstanding, setup: undefined, mode: "echo", answers: 1 },
						messages: messagesOf(ECHO, ECHO_BYTES, formatOf(rival)),
					},
				};
			}),
		),
	);
}

/** The same work for all of `stands`: one message to everybody. */
export function fanOutRows(sizes: Sizes, stands: ReadonlySet<StandKind>): Trial[] {
	const rivals = FAN_OUT_RIVALS.filter(({ stand }) => stands.has(stand));
	return sizes.comparedFanOutClients.flatMap((clients) =>
		sizes.outstanding.flatMap((outstanding) =>
			rivals.map((rival): Trial => {
				const { name, stand, path, protocol, setup } = rival;
				return {
					...{ stand, name: `${name}, ${clients} clients, ${outstanding} at once` },
					job: {
						...{ path, protocol, clients, outstanding, setup, mode: "fan-out", answers: 1 },
						messages: fanOutMessages(rival, outstanding),
					},
				};
			}),
		),
	);
}

/** The same idle clients for all of `stands`. */
export function idleRows(stands: ReadonlySet<StandKind>): IdleCase[] {
	const others = [ASPNET, SOCKET_IO].map(({ name, stand, path, protocol, setup }) => ({
		...{ name, stand, job: { path, protocol, setup } },
	}));
	const cases = [BARE_CASE, { ...DIRECT_CASE, name: "ours" }, ...others];
	return cases.filter(({ stand }) => stands.has(stand));
}
