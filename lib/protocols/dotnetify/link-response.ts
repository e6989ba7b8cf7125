import { asArray, asFields, asId, asText, asTexts, optional, parseJson, refusal } from "./wire-values.js";

/** Metadata of a response: for whom it is, an id or the JSON text of an array. */
export const RECIPIENT_KEY = "$fwdConnId";

/** A view model's data on its way to clients: what an app server sends by `Response_VM`. */
interface ViewModelData {
	/** `null` answers a request whose id was null. */
	readonly vmId: string | null;
	/** JSON text, or what the peer sent in its place. */
	readonly data: unknown;
}

/** What an app server asks a proxy to do; the kinds are methods of dotNetify's response context. */
export type LinkResponse =
	| ({ readonly kind: "SendAsync"; readonly connectionId: string } & ViewModelData)
	| ({ readonly kind: "SendToManyAsync"; readonly connectionIds: readonly string[] } & ViewModelData)
	| ({ readonly kind: "SendToGroupAsync"; readonly group: string } & ViewModelData)
	| ({
			readonly kind: "SendToGroupExceptAsync";
			readonly group: string;
			readonly except: readonly string[];
	  } & ViewModelData)
	| ({ readonly kind: "SendToUsersAsync"; readonly userIds: readonly string[] } & ViewModelData)
	| { readonly kind: "AddToGroupAsync"; readonly group: string; readonly connectionId: string }
	| { readonly kind: "RemoveFromGroupAsync"; readonly group: string; readonly connectionId: string };

/** The one argument of `Response_VM` to a proxy: kind, arguments, metadata. */
export function writeLinkResponse(response: LinkResponse): unknown[] {
	switch (response.kind) {
		case "SendAsync":
			return [response.kind, [response.vmId, response.data], { [RECIPIENT_KEY]: response.connectionId }];
		case "SendToManyAsync":
			return [response.kind, [response.vmId, response.data], recipients(response.connectionIds)];
		case "SendToGroupAsync":
			return [response.kind, [response.group, response.vmId, response.data], null];
		case "SendToGroupExceptAsync": {
			// With nobody to leave out, the list that dotNetify sends holds one null.
			const except = response.except.length === 0 ? [null] : response.except;
			return [response.kind, [response.group, response.vmId, response.data], recipients(except)];
		}
		case "SendToUsersAsync":
			return [response.kind, [response.userIds, response.vmId, response.data], recipients(response.userIds)];
		case "AddToGroupAsync":
		case "RemoveFromGroupAsync":
			return [response.kind, [response.group], { [RECIPIENT_KEY]: response.connectionId }];
	}
}

function recipients(ids: readonly (string | null)[]): Record<string, string> {
	return { [RECIPIENT_KEY]: JSON.stringify(ids) };
}

/**
 * Reads the one argument of `Response_VM` that came over a link; `undefined` for an array of two, which is an answer to
 * the link's own connection and not to a client of the proxy.
 * @throws TrunklineError ERR_LINK_PROTOCOL for anything else that is not one of the seven kinds.
 */
export function parseLinkResponse(argument: unknown): LinkResponse | undefined {
	const items = asArray(argument, "a response");
	if (items.length === 2) return undefined;
	if (items.length !== 3) throw refusal("a response must have three items");
	const kind = asText(items[0], "the kind of a response");
	const read = RESPONSE_READERS.get(kind);
	if (!read) throw refusal("the kind of a response is not known");
	const metadata = optional(items[2], "the metadata of a response", asFields);
	return read(asArray(items[1], "the arguments of a response"), metadata?.[RECIPIENT_KEY]);
}

type ResponseReader = (args: readonly unknown[], recipient: unknown) => LinkResponse;

const RESPONSE_READERS: ReadonlyMap<string, ResponseReader> = new Map<LinkResponse["kind"], ResponseReader>([
	[
		"SendAsync",
		(args, to) => ({ kind: "SendAsync", connectionId: asId(to, RECIPIENT_KEY), ...readData(args, 0) }),
	],
	[
		"SendToManyAsync",
		(args, to) => ({ kind: "SendToManyAsync", connectionIds: readIds(to), ...readData(args, 0) }),
	],
	[
		"SendToGroupAsync",
		(args) => ({ kind: "SendToGroupAsync", group: readGroup(args), ...readData(args, 1) }),
	],
	[
		"SendToGroupExceptAsync",
		(args, to) => ({
			kind: "SendToGroupExceptAsync",
			group: readGroup(args),
			except: readIds(to),
			...readData(args, 1),
		}),
	],
	[
		"SendToUsersAsync",
		(args) => ({
			kind: "SendToUsersAsync",
			userIds: asTexts(args[0], "the users of a response"),
			...readData(args, 1),
		}),
	],
	[
		"AddToGroupAsync",
		(args, to) => ({
			kind: "AddToGroupAsync",
			group: readGroup(args),
			connectionId: asId(to, RECIPIENT_KEY),
		}),
	],
	[
		"RemoveFromGroupAsync",
		(args, to) => ({
			kind: "RemoveFromGroupAsync",
			group: readGroup(args),
			connectionId: asId(to, RECIPIENT_KEY),
		}),
	],
]);

function readGroup(args: readonly unknown[]): string {
	return asText(args[0], "the group of a response");
}

function readData(args: readonly unknown[], from: number): ViewModelData {
	if (args.length !== from + 2) throw refusal(`the arguments of this kind of response must be ${from + 2}`);
	return {
		vmId: optional(args[from], "the view-model id of a response", asText) ?? null,
		data: args[from + 1],
	};
}

/** A list of ids in JSON text; nulls stand for nobody. */
function readIds(value: unknown): string[] {
	const ids = asArray(parseJson(asText(value, RECIPIENT_KEY), RECIPIENT_KEY), RECIPIENT_KEY);
	return ids.filter((id) => id !== null).map((id) => asId(id, RECIPIENT_KEY));
}
