import { z } from "zod";

/** Longest `vmIdPattern` in characters. The pattern is the operator's own, but it runs on what clients send. */
const MAX_PATTERN_CHARACTERS = 200;
/** Longest view-model id in characters that a `vmIdPattern` is tried on; longer ones match no pattern. */
const MAX_PATTERN_INPUT_CHARACTERS = 256;
/** Most links to one app server. */
export const MAX_POOL_SIZE = 1_000;

/** Which view models an entry of the chain takes; without one it takes every message. */
export type ChainFilter =
	| { readonly kind: "viewModels"; readonly roots: readonly string[] }
	| { readonly kind: "vmIds"; readonly ids: readonly string[] }
	| { readonly kind: "vmIdPattern"; readonly pattern: RegExp };

/** One `useForwarding` of the chain. */
export interface ChainEntry {
	/** The app servers: one, or several that each get a copy. */
	readonly urls: readonly string[];
	/** The app servers are equal and share the clients: each has one of them, and none gets a copy. */
	readonly isShared?: boolean;
	readonly filter?: ChainFilter;
	readonly connectionPoolSize?: number;
	readonly useMessagePack?: boolean;
	readonly haltPipeline?: boolean;
}

/** True when a pattern of the chain takes a view-model id. */
export function matchesPattern(pattern: RegExp, vmId: string): boolean {
	return vmId.length <= MAX_PATTERN_INPUT_CHARACTERS && pattern.test(vmId);
}

const ONE_URL =
	'one http or https url without user name and password (several go into "urls" with "copy": true)';
const POOL_SIZE = `a whole number from 1 to ${MAX_POOL_SIZE}`;
const NAMES = "a list of at least one view-model id, each a string that is not empty";
const PATTERN = `a regular expression of at most ${MAX_PATTERN_CHARACTERS} characters`;

/** True for an absolute http or https url that carries no credentials. */
export function isAppServerUrl(text: string): boolean {
	if (!URL.canParse(text)) return false;
	const url = new URL(text);
	return /^https?:$/.test(url.protocol) && url.username === "" && url.password === "" && url.hash === "";
}

/** Compiles a pattern that has to match a whole id; `undefined` where it is no regular expression. */
function wholeIdPattern(source: string): RegExp | undefined {
	try {
		// Alone first: "a)|(b" is no expression, yet would become one between the brackets below.
		new RegExp(source, "u");
		return new RegExp(`^(?:${source})$`, "u");
	} catch {
		return undefined;
	}
}

const url = z.string(ONE_URL).refine(isAppServerUrl, ONE_URL);
const names = z.array(z.string(NAMES).min(1, NAMES), NAMES).min(1, NAMES);
const flag = z.boolean("true or false");

/** Checks the form of one entry; every message says what was expected. */
const entryShape = z.strictObject(
	{
		url: url.optional(),
		urls: z.array(url, "a list of at least one url").min(1, "a list of at least one url").optional(),
		viewModels: names.optional(),
		vmIds: names.optional(),
		vmIdPattern: z
			.string(PATTERN)
			.min(1, PATTERN)
			.max(MAX_PATTERN_CHARACTERS, PATTERN)
			.refine((source) => wholeIdPattern(source) !== undefined, PATTERN)
			.optional(),
		connectionPoolSize: z.int(POOL_SIZE).min(1, POOL_SIZE).max(MAX_POOL_SIZE, POOL_SIZE).optional(),
		useMessagePack: flag.optional(),
		haltPipeline: flag.optional(),
		copy: flag.optional(),
	},
	{
		error: (issue) =>
			issue.code === "unrecognized_keys"
				? "only url, urls, viewModels, vmIds, vmIdPattern, connectionPoolSize, useMessagePack, haltPipeline, copy"
				: 'an object such as { "url": "http://app1:5001" }',
	},
);

type EntryShape = z.output<typeof entryShape>;

/** Adds what only several fields together can get wrong. */
function checkEntry(entry: EntryShape, issues: z.core.$RefinementCtx): void {
	const refuse = (field: string, expected: string): void => {
		issues.addIssue({ code: "custom", path: [field], message: expected });
	};
	if (entry.url !== undefined && entry.urls !== undefined)
		refuse("urls", 'nothing beside "url": give one of the two');
	if (entry.url === undefined && entry.urls === undefined) refuse("url", ONE_URL);
	if ((entry.urls?.length ?? 0) > 1 && entry.copy !== true) {
		refuse("copy", 'true: every one of several "urls" gets a copy of each message');
	}
	const filters = (["viewModels", "vmIds", "vmIdPattern"] as const).filter(
		(field) => entry[field] !== undefined,
	);
	for (const field of filters.slice(1))
		refuse(field, `nothing beside "${filters[0]}": an entry has one filter`);
}

function filterOf(entry: EntryShape): ChainFilter | undefined {
	if (entry.viewModels) return { kind: "viewModels", roots: entry.viewModels };
	if (entry.vmIds) return { kind: "vmIds", ids: entry.vmIds };
	const pattern = entry.vmIdPattern === undefined ? undefined : wholeIdPattern(entry.vmIdPattern);
	return pattern ? { kind: "vmIdPattern", pattern } : undefined;
}

function toEntry(shape: EntryShape): ChainEntry {
	const { url: single, urls, viewModels, vmIds, vmIdPattern, copy, ...options } = shape;
	const filter = filterOf(shape);
	const given = Object.entries(options).filter(([, value]) => value !== undefined);
	return {
		urls: urls ?? (single === undefined ? [] : [single]),
		...(filter ? { filter } : {}),
		...Object.fromEntries(given),
	};
}

/** Refuses what stands behind an entry that takes every message and does not let it go on. */
function checkOrder(entries: readonly EntryShape[], issues: z.core.$RefinementCtx): void {
	const end = entries.findIndex((entry) => filterOf(entry) === undefined && entry.haltPipeline !== false);
	if (end < 0 || end === entries.length - 1) return;
	const expected = `nothing behind [${end}], which takes every message: give it a filter or "haltPipeline": false`;
	issues.addIssue({ code: "custom", path: [end + 1], message: expected });
}

const LIST = "a list of at least one entry";

/** The content of the file that `PROXY_CONFIG` names: the chain, in its order. */
export const chainSchema: z.ZodType<readonly ChainEntry[]> = z
	.array(entryShape.superRefine(checkEntry), LIST)
	.min(1, LIST)
	.superRefine(checkOrder)
	.transform((entries) => entries.map(toEntry));
