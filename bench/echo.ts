import { type Call, messageOf, messagesOf } from "./messages.js";
import type { Sizes } from "./settings.js";
import type { StandKind } from "./stand.js";
import { HUB_PATH, VIEW_MODEL_PATH } from "./subject/role.js";
import type { Trial } from "./trial.js";

const MESSAGE_BYTES = 150;

const INVOKE: Call = { target: "echo", isInvoked: true, argumentsOf: (text) => [text] };
const SEND: Call = { target: "answer", isInvoked: false, argumentsOf: (text) => [text] };
const UPDATE: Call = {
	target: "Update_VM",
	isInvoked: true,
	argumentsOf: (text) => ["Echo", { Text: text }],
};
const REQUEST: Call = { target: "Request_VM", isInvoked: true, argumentsOf: () => ["Echo", null] };

type Protocol = "json" | "messagepack";

interface Way {
	readonly name: string;
	readonly call: Call;
	readonly protocol: Protocol;
}

const WAYS: readonly Way[] = [
	{ name: "`invoke`", call: INVOKE, protocol: "json" },
	{ name: "`send` and a client call", call: SEND, protocol: "json" },
	{
		name: "view-model update",
		call: UPDATE,
		protocol: "json",
	},
	{ name: "`invoke`, messagepack client", call: INVOKE, protocol: "messagepack" },
];

const STANDS: readonly (readonly [StandKind, string])[] = [
	["direct", "direct"],
	["proxy", "proxy"],
	["proxy-dotnetify", "proxy, dotNetify's wire"],
	["behind-proxy", "app server behind it"],
];

/** Echo round trips. */
export function echoTrials({ echoClients: clients, outstanding: each }: Sizes): Trial[] {
	return each.flatMap((outstanding) => [
		...(["ws", "ws-json"] as const).map((stand) => bareTrial(stand, clients, outstanding)),
		...WAYS.flatMap((way) => STANDS.map((stand) => trialOf(way, stand, { clients, outstanding }))),
	]);
}

function bareTrial(stand: "ws" | "ws-json", clients: number, outstanding: number): Trial {
	return {
		name: `${stand === "ws" ? "bare `ws`" : "bare `ws` + JSON.parse + JSON.stringify"}, ${outstanding} outstanding`,
		stand,
		job: {
			...{ path: "/", protocol: "none", clients, setup: undefined, mode: "echo", outstanding, answers: 1 },
			messages: messagesOf(INVOKE, MESSAGE_BYTES, "json"),
		},
	};
}

function trialOf(
	{ name, call, protocol }: Way,
	[stand, standName]: readonly [StandKind, string],
	{ clients, outstanding }: { readonly clients: number; readonly outstanding: number },
): Trial {
	const isViewModel = call === UPDATE;
	return {
		name: `${standName}: ${name}, ${outstanding} outstanding`,
		stand,
		job: {
			...{ path: isViewModel ? VIEW_MODEL_PATH : HUB_PATH, protocol, clients, mode: "echo", outstanding },
			// The state and the Completion.
			setup: isViewModel ? { message: messageOf(REQUEST, protocol), answers: 2 } : undefined,
			messages: messagesOf(call, MESSAGE_BYTES, protocol),
			answers: isViewModel ? 2 : 1,
		},
	};
}
