import { type Call, messageOf, messagesOf } from "./messages.js";
import type { Sizes } from "./settings.js";
import type { StandKind } from "./stand.js";
import { HUB_PATH, VIEW_MODEL_PATH } from "./subject/role.js";
import type { Trial } from "./trial.js";

const MESSAGE_BYTES = 200;
const JSON_MESSAGES = "json";

const TO_ALL: Call = { target: "toAll", isInvoked: false, argumentsOf: (text) => [text] };
const TO_GROUP: Call = { target: "toGroup", isInvoked: false, argumentsOf: (text) => [text] };
const SHOW: Call = {
	target: "Update_VM",
	isInvoked: false,
	argumentsOf: (text) => ["Board", { Show: text }],
};
const JOIN: Call = { target: "join", isInvoked: true, argumentsOf: () => [] };
const REQUEST: Call = { target: "Request_VM", isInvoked: true, argumentsOf: () => ["Board", null] };

const WAYS: readonly { readonly name: string; readonly call: Call }[] = [
	{ name: "`clients.group`", call: TO_GROUP },
	{ name: "`clients.all`", call: TO_ALL },
	{ name: "multicast view model", call: SHOW },
];

const STANDS: readonly (readonly [StandKind, string])[] = [
	["direct", "direct"],
	["proxy", "proxy"],
	["behind-proxy", "app server behind it"],
];

/** One message to everybody. Over a link a group costs its name, and everybody else a list of all ids. */
export function fanOutTrials({ fanOutClients, outstanding: each }: Sizes): Trial[] {
	return fanOutClients.flatMap((clients) =>
		each.flatMap((outstanding) => [
			bareTrial(clients, outstanding),
			...WAYS.flatMap((way) => STANDS.map((stand) => fanOutTrial(way, stand, { clients, outstanding }))),
		]),
	);
}

/** How much is sent to how many. */
interface Extent {
	readonly clients: number;
	readonly outstanding: number;
}

function describe({ clients, outstanding }: Extent): string {
	return `${clients} clients, ${outstanding} at once`;
}

function bareTrial(clients: number, outstanding: number): Trial {
	// "!" asks the bare server for a copy to everybody.
	const messages = Array.from({ length: outstanding }, () =>
		Buffer.from(`!${"x".repeat(MESSAGE_BYTES - 2)}\u001e`).toString("base64"),
	);
	return {
		name: `bare \`ws\`, ${describe({ clients, outstanding })}`,
		stand: "ws",
		job: {
			...{ path: "/", protocol: "none", clients, setup: undefined, mode: "fan-out", outstanding, messages },
			answers: 1,
		},
	};
}

function fanOutTrial(
	{ name, call }: (typeof WAYS)[number],
	[stand, standName]: readonly [StandKind, string],
	extent: Extent,
): Trial {
	const isViewModel = call === SHOW;
	const [path, setup] = isViewModel ? [VIEW_MODEL_PATH, REQUEST] : [HUB_PATH, JOIN];
	return {
		name: `${standName}: ${name}, ${describe(extent)}`,
		stand,
		job: {
			...{ path, protocol: JSON_MESSAGES, ...extent, mode: "fan-out", answers: 1 },
			setup: { message: messageOf(setup, JSON_MESSAGES), answers: isViewModel ? 2 : 1 },
			messages: messagesOf(call, MESSAGE_BYTES, JSON_MESSAGES),
		},
	};
}
