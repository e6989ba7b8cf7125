import { CONTEXT_KEY, type HubMessage, HubTarget, MessageType } from "../../../lib/protocols/index.js";

/** A message, or the end of a socket, as it is compared. */
export type Comparable = { readonly [name: string]: unknown };

/** What was compared in a run, and which general differences were met. */
export class Tally {
	fields = 0;
	messages = 0;
	replays = 0;
	readonly met: Map<string, number> = new Map();

	meet(difference: string): void {
		this.met.set(difference, (this.met.get(difference) ?? 0) + 1);
	}
}

/** A message for comparison: texts that hold JSON are read, so that the order of members does not matter. */
export function comparable(message: HubMessage): Comparable {
	switch (message.type) {
		case MessageType.Invocation: {
			const { target, invocationId, headers, streamIds } = message;
			const args = message.arguments.values;
			const isResponse = target === HubTarget.Response;
			return withoutUndefined({
				...{ type: message.type, target, invocationId, headers, streamIds },
				arguments: isResponse
					? args.map(readResponse)
					: target === HubTarget.Invoke
						? readInvoke(args)
						: args,
			});
		}
		case MessageType.Completion: {
			const { type, invocationId, error, hasResult, result } = message;
			return withoutUndefined({ type, invocationId, error, ...(hasResult ? { result } : {}) });
		}
		case MessageType.Close:
			return withoutUndefined({
				...{ type: message.type, error: message.error, allowReconnect: message.allowReconnect || undefined },
			});
		default:
			return { ...message };
	}
}

/** The context of an `Invoke`, read; `undefined` where it is none or has none. */
export function contextOf({ target, arguments: args }: Comparable): Comparable | undefined {
	if (target !== HubTarget.Invoke) return undefined;
	const metadata = (args as readonly unknown[])[2] as Comparable | null | undefined;
	return metadata?.[CONTEXT_KEY] as Comparable | undefined;
}

function withoutUndefined(fields: Comparable): Comparable {
	return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

/** The data is the last member: of a client's response, and of the arguments of a link's. */
function readResponse(response: unknown): unknown {
	if (!Array.isArray(response)) return response;
	if (response.length !== 3) return readLast(response);
	const [kind, args, metadata] = response as [unknown, unknown, { $fwdConnId?: string } | null];
	const to = metadata?.$fwdConnId;
	const ids = to?.startsWith("[") ? { $fwdConnId: JSON.parse(to) as unknown } : {};
	const isGroupChange = Array.isArray(args) && args.length === 1;
	return [kind, isGroupChange ? args : readLast(args as unknown[]), metadata && { ...metadata, ...ids }];
}

function readLast(values: readonly unknown[]): unknown[] {
	return [...values.slice(0, -1), readJson(values.at(-1))];
}

function readInvoke([method, args, metadata]: readonly unknown[]): unknown[] {
	const fields = metadata as Comparable | null;
	const context = readJson(fields?.[CONTEXT_KEY]);
	const read = Array.isArray(args) && args.length === 2 ? readLast(args) : args;
	return [method, read, fields && { ...fields, [CONTEXT_KEY]: context }];
}

function readJson(text: unknown): unknown {
	if (typeof text !== "string" || !/^[[{]/.test(text)) return text;
	try {
		return JSON.parse(text) as unknown;
	} catch {
		return text;
	}
}

/** Where two values differ, field by field; adds the fields to the tally. */
export function differencesOf(expected: unknown, actual: unknown, tally: Tally, path = ""): string[] {
	if (isObject(expected) && isObject(actual) && Array.isArray(expected) === Array.isArray(actual)) {
		const keys = new Set([...Object.keys(expected), ...Object.keys(actual)]);
		return [...keys].flatMap((key) => differencesOf(expected[key], actual[key], tally, `${path}.${key}`));
	}
	tally.fields++;
	if (Object.is(expected, actual)) return [];
	return [`${path}: recorded ${show(expected)}, ours ${show(actual)}`];
}

/** Where two sequences of messages differ. */
export function sequenceDifferences(
	expected: readonly Comparable[],
	actual: readonly Comparable[],
	tally: Tally,
): string[] {
	const found: string[] = [];
	for (let at = 0; at < Math.max(expected.length, actual.length); at++) {
		const [recorded, ours] = [expected[at], actual[at]];
		tally.messages++;
		if (!recorded) found.push(`[${at}] is ours only: ${show(ours)}`);
		else if (!ours) found.push(`[${at}] is recorded only: ${show(recorded)}`);
		else found.push(...differencesOf(recorded, ours, tally, `[${at}]`));
	}
	return found;
}

function isObject(value: unknown): value is Record<string, unknown> {
	return typeof value === "object" && value !== null;
}

function show(value: unknown): string {
	return value === undefined ? "nothing" : JSON.stringify(value).slice(0, 400);
}
