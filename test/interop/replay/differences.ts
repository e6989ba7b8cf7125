import { type Comparable, contextOf } from "./comparison.js";
import { type End, type Expected, isClose, responseOf, type Script } from "./script.js";

/** Where ours deliberately does something else than the original. */
export interface Difference {
	/** The scenario that it is in; `undefined` for one that may be in any, and has to be in one at least. */
	readonly scenario?: string;
	readonly ends: readonly End[];
	/** The set-ups that it is in; all by default. */
	readonly setUps?: RegExp;
	readonly what: string;
	readonly why: string;
	/** Turns what was recorded into what ours has to do; returns how many messages that were. None is a failure. */
	readonly edit: (script: Script) => number;
}

/** Fields that are never equal in two runs, or that ours has and the original lacks. Each has to be met. */
export const GENERAL_DIFFERENCES: ReadonlyMap<string, string> = new Map([
	[
		"invocationId",
		"Ours asks for a Completion: it means that the message was processed, and keeps a client's order.",
	],
	["TimeStamp", "Another time."],
	[
		"HttpConnection.ConnectionId",
		"Kestrel has ids of its own for HTTP connections; Node has none, so it is the client's.",
	],
	["hop-by-hop headers", "Connection, Upgrade and Sec-WebSocket-* are for one hop (RFC 9110 §7.6.1)."],
	["forwarding headers", "Via, X-Forwarded-Proto and X-Forwarded-Host say what the app server cannot see."],
	["client port", "Another port."],
	["link negotiate", "A link connects by WebSocket at once; the original negotiates first."],
]);

const NOT_JSON = { ExceptionType: "JsonException", Message: "The data of the message is not a JSON object." };
const UNKNOWN_INVOKE =
	"Failed to invoke 'Invoke' due to an error on the server. HubException: Method does not exist.";
const IMPLICIT_MASTER =
	"A master that was made implicitly has no client of its own; the original sends its own failure to push for it.";
const TO_STRING = "The original writes a messagepack client's data by ToString, which names its .NET type.";
const NO_INVOKE = "Invoke is for links. The original takes it from every client.";

/** All deliberate differences. One that is listed and does not occur is a failure too. */
export const DIFFERENCES: readonly Difference[] = [
	{
		ends: ["proxy", "direct"],
		what: "Every Close message is answered by one.",
		why: "The original answers most; its socket was gone before in the others.",
		edit: answerClose,
	},
	{
		...{ scenario: "00-warmup", ends: ["proxy"], setUps: /^(json|msgpack)-json$|^json-msgpack$/ },
		what: "What was sent before a link was up arrives, in order.",
		why: "The original lost it.",
		edit: deliverAll,
	},
	{
		...{ scenario: "00-warmup", ends: ["proxy"], setUps: /^msgpack-msgpack$/ },
		what: "A client's updates cross in its order.",
		why: "The original's pool reorders them; its client got answers and Completions as they fell.",
		edit: inOrder,
	},
	...[
		"01-connect-request-update-dispose",
		"08-nested-and-instances",
		"09-errors",
		"10-conn-context-routing",
	].map(
		(scenario): Difference => ({
			...{ scenario, ends: ["proxy"], setUps: /^msgpack-/ },
			what: "The data of a messagepack client's request crosses as JSON.",
			why: TO_STRING,
			edit: writeData,
		}),
	),
	{
		...{ scenario: "09-errors", ends: ["proxy"] },
		what: "Text as a request's data crosses as JSON text.",
		why: "The original sends it bare, which its app server cannot read.",
		edit: (script) =>
			script.change(
				({ message }) => dataOf(message) === "str",
				(message) => withData(message, '"str"'),
			),
	},
	{
		...{ scenario: "09-errors", ends: ["proxy"] },
		what: "A method that the proxy does not know is forwarded; this app server's Completion is the answer.",
		why: "The app servers behind our proxy may have methods of their own.",
		edit: forwardUnknown,
	},
	{
		...{ scenario: "11-invoke-forged", ends: ["proxy"] },
		what: "Invoke is an unknown method for a client, and nothing of it crosses, nor the end of a client that nothing crossed of.",
		why: NO_INVOKE,
		edit: (script) => refuseInvoke(script) + dropInvokesOf(script, lastConnectionId(script)),
	},
	...["01-connect-request-update-dispose", "08-nested-and-instances", "10-conn-context-routing"].map(
		(scenario): Difference => ({
			...{ scenario, ends: ["app-server"], setUps: /^msgpack-/ },
			what: "A request with data that is not JSON is answered by an exception.",
			why: `${TO_STRING} Its app server only logs that; ours tells the caller.`,
			edit: answerUnreadable,
		}),
	),
	{
		...{ scenario: "09-errors", ends: ["app-server"] },
		what: "A request with data that is not JSON is answered by an exception.",
		why: "The original's app server only logs it.",
		edit: answerUnreadable,
	},
	{
		...{ scenario: "04-group", ends: ["app-server"] },
		what: "A group's message that excludes the proxy's only member is not sent.",
		why: "Nobody would get it.",
		edit: (script) =>
			script.drop(
				({ message }) => (responseOf(message)?.data as Comparable | undefined)?.["Text"] === "again",
			),
	},
	{
		...{ scenario: "08-nested-and-instances", ends: ["app-server", "direct"] },
		what: "No ArgumentNullException of Root.",
		why: IMPLICIT_MASTER,
		edit: (script) => script.drop(({ message }) => exceptionOf(message) === "ArgumentNullException"),
	},
	{
		...{ scenario: "08-nested-and-instances", ends: ["app-server", "direct"] },
		what: "Root, which was requested, pushes its new title when Root.Child goes.",
		why: "The original made it implicitly before that, and such a master never pushes there.",
		edit: pushTitle,
	},
	{
		...{ scenario: "09-errors", ends: ["direct"] },
		what: "An argument error says what is wrong.",
		why: "The replay's hub has detailedErrors for the texts of exceptions; the recorded hub had them without.",
		edit: detailArguments,
	},
	{
		...{ scenario: "09-errors", ends: ["direct"], setUps: /^msgpack-direct$/ },
		what: "A list, a text or a number as a request's data is ignored under messagepack as under json.",
		why: "The original refuses them under messagepack only.",
		edit: ignoreData,
	},
	{
		...{ scenario: "10-conn-context-routing", ends: ["app-server"] },
		what: "The client's address is known.",
		why: "The original's context loses the address object on the way, and keeps its text.",
		edit: (script) =>
			script.change(
				({ message }) => JSON.stringify(message).includes("fromIPAddress=null"),
				(message) =>
					JSON.parse(
						JSON.stringify(message).replace("fromIPAddress=null", "fromIPAddress=127.0.0.1"),
					) as Comparable,
			),
	},
	{
		...{ scenario: "11-invoke-forged", ends: ["direct"] },
		what: "Invoke is an unknown method for a client, and its victim's view model answers as ever.",
		why: NO_INVOKE,
		edit: (script) => refuseInvoke(script) + answerVictim(script),
	},
];

/** Turns a script into what ours has to do; returns what was listed for it, and how often it was met. */
export function applyDifferences(script: Script): ReadonlyMap<Difference, number> {
	const { scenario, clientProtocol, linkProtocol = "direct" } = script.trace;
	const listed = DIFFERENCES.filter(
		(difference) =>
			(difference.scenario ?? scenario) === scenario &&
			difference.ends.includes(script.end) &&
			(difference.setUps?.test(`${clientProtocol}-${linkProtocol}`) ?? true),
	);
	return new Map(listed.map((difference) => [difference, difference.edit(script)]));
}

function answerClose(script: Script): number {
	const closings = script.expected.filter(
		({ key, message }, at) =>
			"close" in message &&
			!script.expected.some((each, before) => before < at && each.key === key && isClose(each.message)),
	);
	for (const closing of closings) {
		const { key, at } = closing;
		script.expected.splice(script.expected.indexOf(closing), 0, {
			key,
			at,
			message: { type: 7 },
			answers: [],
		});
	}
	return closings.length;
}

function invokeOf(context: Comparable, method: string, args: readonly unknown[]): Comparable {
	return { type: 1, target: "Invoke", arguments: [method, args, { $fwdConnContext: context }] };
}

/** A context that no trace holds: what our proxy makes of the client. */
function contextOfClient(script: Script, connectionId: string): Comparable {
	const recorded = script.expected.map(({ message }) => contextOf(message)).find((context) => context);
	if (recorded) return { ...recorded, ConnectionId: connectionId };
	const open = script.trace.events.find((event) => event.kind === "open");
	const userAgent = open?.headers["user-agent"];
	return {
		...{ HubId: "0".repeat(22), TimeStamp: new Date(0).toISOString(), ConnectionId: connectionId, Items: {} },
		HttpConnection: {
			ConnectionId: "",
			LocalIpAddressString: "127.0.0.1",
			RemoteIpAddressString: "127.0.0.1",
		},
		HttpRequestHeaders: { AllHeaders: { "User-Agent": [userAgent] }, UserAgent: userAgent },
	};
}

function lastConnectionId(script: Script): string {
	const open = script.trace.events.findLast((event) => event.kind === "open" && event.leg === "client");
	return open?.kind === "open" ? open.connectionId : "";
}

function deliverAll(script: Script): number {
	const id = lastConnectionId(script);
	const context = contextOfClient(script, id);
	dropInvokesOf(script, id);
	const { calls } = script;
	for (const { message } of calls) {
		const args = message["arguments"] as readonly unknown[];
		script.insert(
			script.trace.events.length,
			`invoke ${id}`,
			invokeOf(context, String(message["target"]), args),
		);
	}
	script.insert(script.trace.events.length, `invoke ${id}`, invokeOf(context, "OnDisconnectedAsync", [null]));
	return calls.length;
}

function inOrder(script: Script): number {
	const key = `invoke ${lastConnectionId(script)}`;
	const slots = script.of(key);
	const names = new Map(script.calls.map(({ message }, at) => [JSON.stringify(dataOf(message) ?? null), at]));
	const order = ({ message }: Expected): number => {
		const [method] = message["arguments"] as readonly unknown[];
		return method === "OnDisconnectedAsync"
			? Infinity
			: (names.get(JSON.stringify(dataOf(message) ?? null)) ?? -1);
	};
	const messages = [...slots].sort((a, b) => order(a) - order(b)).map(({ message }) => message);
	const moved = slots.filter((slot, at) => slot.message !== messages[at]);
	for (const [at, slot] of slots.entries()) slot.message = messages[at] ?? slot.message;
	script.isRace = true;
	return moved.length;
}

/** The data of a request or update: the second argument of a client's call, or of what a proxy forwards. */
function dataOf({ target, arguments: args }: Comparable): unknown {
	const values = args as readonly unknown[] | undefined;
	return target === "Invoke" ? (values?.[1] as readonly unknown[] | undefined)?.[1] : values?.[1];
}

function withData(message: Comparable, data: unknown): Comparable {
	const [method, [vmId], metadata] = message["arguments"] as [unknown, unknown[], unknown];
	return { ...message, arguments: [method, [vmId, data], metadata] };
}

function isTypeName(data: unknown): boolean {
	return typeof data === "string" && data.startsWith("System.");
}

function writeData(script: Script): number {
	const requests = script.calls.filter(
		({ message }) =>
			message["target"] === "Request_VM" && typeof dataOf(message) === "object" && dataOf(message) !== null,
	);
	return script.change(
		({ message }) => isTypeName(dataOf(message)),
		(message) => withData(message, dataOf(requests.shift()?.message ?? {})),
	);
}

function forwardUnknown(script: Script): number {
	const call = script.calls.find(({ message }) => message["target"] === "NoMethod");
	if (!call) return 0;
	const id = lastConnectionId(script);
	script.insert(call.at, `invoke ${id}`, invokeOf(contextOfClient(script, id), "NoMethod", []));
	return script.change(
		({ message }) => String(message["error"]).includes("NoMethod"),
		({ type, invocationId }) => ({ type, invocationId, result: null }),
	);
}

function dropInvokesOf(script: Script, connectionId: string): number {
	return script.drop(({ key }) => key === `invoke ${connectionId}`);
}

/** The client that calls `Invoke` gets an error for each call and nothing else. */
function refuseInvoke(script: Script): number {
	const calls = script.calls.filter(({ message }) => message["target"] === "Invoke");
	const key = `client ${calls[0]?.conn}`;
	script.drop((expected) => expected.key === key && responseOf(expected.message) !== undefined);
	const ids = new Set(calls.map(({ message }) => message["invocationId"]));
	return script.change(
		(expected) =>
			expected.key === key && expected.message["type"] === 3 && ids.has(expected.message["invocationId"]),
		({ type, invocationId }) => ({ type, invocationId, error: UNKNOWN_INVOKE }),
	);
}

function answerVictim(script: Script): number {
	const call = script.calls.findLast(({ message }) => message["target"] === "Update_VM");
	if (!call) return 0;
	const response = {
		type: 1,
		target: "Response_VM",
		arguments: [["HelloWorld", { Greetings: "still? World" }]],
	};
	return script.insert(call.at, `client ${call.conn}`, response);
}

function answerUnreadable(script: Script): number {
	const calls = script.calls.filter(({ message }) => {
		const data = dataOf(message);
		return data === "str" || isTypeName(data);
	});
	for (const { at, message } of calls) {
		const [, [vmId]] = message["arguments"] as [unknown, unknown[]];
		const to = { $fwdConnId: contextOf(message)?.["ConnectionId"] };
		const response = { type: 1, target: "Response_VM", arguments: [["SendAsync", [vmId, NOT_JSON], to]] };
		script.insert(at, "link", response);
	}
	return calls.length;
}

function exceptionOf(message: Comparable): unknown {
	const response = responseOf(message);
	return response?.vmId === "Root" && (response.data as Comparable)["ExceptionType"];
}

function pushTitle(script: Script): number {
	const call = script.calls.find(({ message }) =>
		JSON.stringify(message["arguments"]).match(/"Root.Child"\]/),
	);
	if (!call) return 0;
	const data = ["Root", { Title: "root-Child" }];
	const response = { type: 1, target: "Response_VM" };
	if (script.end === "direct")
		return script.insert(call.at, `client ${call.conn}`, { ...response, arguments: [data] });
	const to = { $fwdConnId: contextOf(call.message)?.["ConnectionId"] };
	return script.insert(call.at, "link", { ...response, arguments: [["SendAsync", data, to]] });
}

function detailArguments(script: Script): number {
	const details = [
		"Invocation provides 1 argument(s) but target expects 2.",
		"Invocation provides 3 argument(s) but target expects 2.",
		"Argument 2 of Update_VM must be an object or null.",
	];
	return script.change(
		({ message }) => /_VM' due to an error on the server\.$/.test(String(message["error"])),
		(message) => ({
			...message,
			error: `${String(message["error"])} InvalidDataException: ${details.shift()}`,
		}),
	);
}

function ignoreData(script: Script): number {
	const state = { FirstName: "Hello", LastName: "World", Greetings: "Hello World" };
	return script.change(
		({ message }) => JSON.stringify(message).includes("JObject instance expected"),
		(message) => ({ ...message, arguments: [["HelloWorld", state]] }),
	);
}
