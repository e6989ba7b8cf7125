import { isRecord } from "./state/data.js";

type Fields = Readonly<Record<string, unknown>>;

/** What a `Request_VM` asks for beside the id. */
export interface RequestData {
	readonly headers: Fields | undefined;
	/** What to set before `onCreated`; empty where the client sent no object. */
	readonly vmArg: Fields;
	/** Picks among types of the same name. */
	readonly namespace: string | undefined;
}

/** Takes `$headers` out of a message's data, which may be anything. */
export function withoutHeaders(data: unknown): {
	readonly headers: Fields | undefined;
	readonly values: Fields;
} {
	if (!isRecord(data)) return { headers: undefined, values: {} };
	const { $headers: headers, ...values } = data;
	return { headers: isRecord(headers) ? headers : undefined, values };
}

/** Reads the data of a request: `$vmArg` where it is there, else everything that is not `$headers`. */
export function readRequest(data: unknown): RequestData {
	const { headers, values } = withoutHeaders(data);
	const { $vmArg: vmArg } = values;
	const given = Object.hasOwn(values, "$vmArg") ? vmArg : values;
	const entries = isRecord(given) ? Object.entries(given) : [];
	const namespace = entries.find(([name]) => isNamespace(name))?.[1];
	return {
		headers,
		vmArg: Object.fromEntries(entries.filter(([name]) => !isNamespace(name))),
		namespace: typeof namespace === "string" ? namespace : undefined,
	};
}

function isNamespace(name: string): boolean {
	return name.toLowerCase() === "namespace";
}
