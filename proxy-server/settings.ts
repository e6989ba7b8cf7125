import { createHmac } from "node:crypto";
import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import { z } from "zod";
import type { TrunklineError } from "../lib/index.js";
import { type ChainEntry, chainSchema, isAppServerUrl, MAX_POOL_SIZE } from "./chain.js";
import { complaint, configurationError, type Issue } from "./complaints.js";
import { isPemFile, isTlsUrl, type LinkFiles } from "./link-files.js";

/** Port of the proxy where `PORT` is not set. */
export const DEFAULT_PORT = 5_000;
/** Address that the proxy listens on where `HOST` is not set: this machine only. */
export const DEFAULT_HOST = "127.0.0.1";
/** Path of the hub where `HUB_PATH` is not set. */
export const DEFAULT_HUB_PATH = "/dotnetify";
/** How long a stopping proxy answers /ready with 404 before it closes, in milliseconds, where `DRAIN_MS` is not set. */
export const DEFAULT_DRAIN_MS = 3_000;
/** Over how long a stopping proxy sends its clients away, in milliseconds, where `CLOSE_SPREAD_MS` is not set. */
export const DEFAULT_CLOSE_SPREAD_MS = 5_000;
/** Longest `DRAIN_MS`, and longest `CLOSE_SPREAD_MS`. */
export const MAX_DRAIN_MS = 600_000;

/** What a log can be told to write. */
export const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const;

/** How much the proxy logs. */
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Whose X-Forwarded-… headers are believed: that many hops, or the peers with these addresses. */
export type TrustProxy = number | readonly string[];

/** The environment, as `process.env` has it. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Everything the prebuilt proxy can be told, checked. */
export interface ProxySettings {
	readonly port: number;
	readonly host: string;
	readonly hubPath: string;
	/** One `useForwarding` each, in this order. */
	readonly chain: readonly ChainEntry[];
	/** What proves the links, newest first; empty for app servers that ask for none. */
	readonly linkSecrets: readonly string[];
	/** What links over TLS are made with, where that is not Node's default. */
	readonly linkFiles?: LinkFiles;
	/** What signs connection tokens; empty for a random one per process. */
	readonly tokenSecrets: readonly string[];
	readonly trustProxy?: TrustProxy;
	readonly allowedOrigins?: readonly string[];
	readonly serverId?: string;
	readonly logLevel: LogLevel;
	readonly drainMs: number;
	readonly closeSpreadMs: number;
}

const SEVERAL_URLS =
	'exactly one url; several that share the clients are set with APPSERVER_URLS, and PROXY_CONFIG has chains, where an entry with "urls" and "copy": true copies every message to each';
const URL_EXPECTED = "one http or https url without user name and password, such as http://127.0.0.1:5001";

function words(text: string): string[] {
	return text.split(/[\s,;]+/).filter((word) => word !== "");
}

function whole(least: number, most: number): z.ZodType<number, string> {
	const expected = `a whole number from ${least} to ${most}`;
	return z
		.string()
		.regex(/^\d{1,9}$/, { error: expected, abort: true })
		.transform(Number)
		.refine((value) => value >= least && value <= most, expected);
}

const appServerUrl = z
	.string()
	.refine((text) => words(text).length < 2, { error: SEVERAL_URLS, abort: true })
	.refine(isAppServerUrl, URL_EXPECTED);

const URLS_EXPECTED =
	"http or https urls without user name and password, each once, with commas between them";
const appServerUrls = z
	.string()
	.transform(words)
	.refine((list) => list.every(isAppServerUrl) && new Set(list).size === list.length, URLS_EXPECTED);

const SECRETS_EXPECTED =
	"a secret of at least 16 characters, or two with a comma between them while they are exchanged";
const secrets = z
	.string()
	.transform((text) => text.split(",").map((one) => one.trim()))
	.refine((list) => list.length <= 2 && list.every((one) => one.length >= 16), SECRETS_EXPECTED);

function isPeer(text: string): boolean {
	if (/^(?:loopback|linklocal|uniquelocal)$/.test(text)) return true;
	const [address = "", bits, ...rest] = text.split("/");
	const most = isIP(address) === 4 ? 32 : 128;
	return (
		isIP(address) !== 0 &&
		rest.length === 0 &&
		(bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= most))
	);
}

const TRUST_EXPECTED =
	"the number of proxies in front, or their addresses: a list such as 10.0.0.0/8, 127.0.0.1 (never true: everybody could forge an address)";
const trustProxy = z
	.string()
	.transform((text): TrustProxy => (/^\d{1,2}$/.test(text) ? Number(text) : words(text)))
	.refine((trust) => typeof trust === "number" || trust.every(isPeer), TRUST_EXPECTED);

const ORIGINS_EXPECTED = "origins such as https://example.org, https://www.example.org:8443";
const origins = z
	.string()
	.transform(words)
	.refine((list) => list.every((one) => URL.canParse(one) && new URL(one).origin === one), ORIGINS_EXPECTED);

const LEVELS_EXPECTED = `one of ${LOG_LEVELS.join(", ")}`;
const SERVER_ID_EXPECTED = "1 to 32 letters, digits, - or _";
const PATH_EXPECTED = "a path such as /dotnetify, without a / at its end";

const PEM_EXPECTED = "the path of a file in PEM";
const pemFile = z.string().refine(isPemFile, PEM_EXPECTED);

const environmentShape = z.object({
	PORT: whole(0, 65_535).optional(),
	HOST: z
		.string()
		.regex(/^[\w.:%-]+$/, "a host name or an address")
		.optional(),
	APPSERVER_URL: appServerUrl.optional(),
	APPSERVER_URLS: appServerUrls.optional(),
	PROXY_CONFIG: z.string().optional(),
	CONNECTION_POOL_SIZE: whole(1, MAX_POOL_SIZE).optional(),
	USE_MESSAGE_PACK: z
		.enum(["true", "false", "1", "0"], "true or false")
		.transform((text) => text === "true" || text === "1")
		.optional(),
	LINK_SECRET: secrets.optional(),
	LINK_CERT: pemFile.optional(),
	LINK_KEY: pemFile.optional(),
	LINK_CA: pemFile.optional(),
	TOKEN_SECRET: secrets.optional(),
	HUB_PATH: z
		.string()
		.regex(/^(?:\/[\w.~-]+)+$/, PATH_EXPECTED)
		.optional(),
	TRUST_PROXY: trustProxy.optional(),
	ALLOWED_ORIGINS: origins.optional(),
	LOG_LEVEL: z.enum(LOG_LEVELS, LEVELS_EXPECTED).optional(),
	SERVER_ID: z
		.string()
		.regex(/^[\w-]{1,32}$/, SERVER_ID_EXPECTED)
		.optional(),
	DRAIN_MS: whole(0, MAX_DRAIN_MS).optional(),
	CLOSE_SPREAD_MS: whole(0, MAX_DRAIN_MS).optional(),
});

type CheckedEnvironment = z.output<typeof environmentShape>;

/** The settings among the environment's variables; an empty one counts as not set. */
function given(environment: Environment): Record<string, string> {
	const names = Object.keys(environmentShape.shape);
	const entries = names.map((name) => [name, environment[name]?.trim()] as const);
	return Object.fromEntries(entries.filter((entry): entry is [string, string] => Boolean(entry[1])));
}

function refusal(data: unknown, error: z.ZodError, prefix = ""): TrunklineError {
	const lines = error.issues.flatMap((issue) => complaint(data, issue as Issue).split("\n"));
	return configurationError(
		lines.map((line) => prefix + line),
		error,
	);
}

/** Reads and checks a `PROXY_CONFIG` file. Throws ERR_CONFIGURATION with one line per wrong field. */
function readChain(path: string): readonly ChainEntry[] {
	const refuse = (found: string, cause: unknown): TrunklineError =>
		configurationError(
			[`PROXY_CONFIG: found ${found}, expected the path of a JSON file with the chain`],
			cause,
		);
	let text: string;
	try {
		text = readFileSync(path, "utf8");
	} catch (error) {
		throw refuse(
			`${JSON.stringify(path)}, which cannot be read (${(error as NodeJS.ErrnoException).code})`,
			error,
		);
	}
	let data: unknown;
	try {
		data = JSON.parse(text.replace(/^\uFEFF/, ""));
	} catch (error) {
		throw refuse(
			`${JSON.stringify(path)}, which is not JSON (${(error as SyntaxError).message.split("\n")[0]})`,
			error,
		);
	}
	const checked = chainSchema.safeParse(data);
	if (!checked.success) throw refusal(data, checked.error, `${path}: `);
	return checked.data;
}

function chainOf(checked: CheckedEnvironment): readonly ChainEntry[] {
	const {
		APPSERVER_URL: url,
		APPSERVER_URLS: urls,
		PROXY_CONFIG: path,
		CONNECTION_POOL_SIZE: poolSize,
		USE_MESSAGE_PACK: pack,
	} = checked;
	if (url !== undefined && urls !== undefined) {
		throw configurationError([
			"APPSERVER_URLS: found urls beside APPSERVER_URL, expected only one of the two",
		]);
	}
	if ((url ?? urls) !== undefined && path !== undefined) {
		const other = url === undefined ? "APPSERVER_URLS" : "APPSERVER_URL";
		throw configurationError([`PROXY_CONFIG: found a path beside ${other}, expected only one of the two`]);
	}
	if (url === undefined && urls === undefined && path === undefined) {
		throw configurationError([`APPSERVER_URL: found nothing, expected ${URL_EXPECTED} (or PROXY_CONFIG)`]);
	}
	const defaults = {
		...(poolSize === undefined ? {} : { connectionPoolSize: poolSize }),
		...(pack === undefined ? {} : { useMessagePack: pack }),
	};
	const shared: ChainEntry | undefined = urls && { urls, isShared: true };
	const entries = path === undefined ? [shared ?? { urls: [url as string] }] : readChain(path);
	return entries.map((entry) => ({ ...defaults, ...entry }));
}

/** The files that links over TLS are made with; refused where no link is TLS. */
function linkFilesOf(checked: CheckedEnvironment, chain: readonly ChainEntry[]): LinkFiles | undefined {
	const { LINK_CERT: cert, LINK_KEY: key, LINK_CA: ca } = checked;
	const [given] = (["LINK_CERT", "LINK_KEY", "LINK_CA"] as const).filter(
		(name) => checked[name] !== undefined,
	);
	if (given === undefined) return undefined;
	if ((cert === undefined) !== (key === undefined)) {
		const [found, missing] = cert === undefined ? ["LINK_KEY", "LINK_CERT"] : ["LINK_CERT", "LINK_KEY"];
		throw configurationError([`${missing}: found nothing beside ${found}, expected ${PEM_EXPECTED}`]);
	}
	if (!chain.some(({ urls }) => urls.some(isTlsUrl))) {
		throw configurationError([`${given}: found a path, expected nothing: no app server's url has https`]);
	}
	return { cert, key, ca };
}

/** Tokens signed alike in every process that shares LINK_SECRET, where TOKEN_SECRET is not set. */
function derivedSecrets(linkSecrets: readonly string[]): string[] {
	return linkSecrets.map((secret) =>
		createHmac("sha256", secret).update("trunkline connection tokens").digest("base64url"),
	);
}

/**
 * Reads the proxy's settings from environment variables (docs/configuration.md lists them).
 * Throws ERR_CONFIGURATION whose message has one line per wrong setting: where, what was found, what was expected.
 */
export function readSettings(environment: Environment): ProxySettings {
	const data = given(environment);
	const result = environmentShape.safeParse(data);
	if (!result.success) throw refusal(data, result.error);
	const checked = result.data;
	const linkSecrets = checked.LINK_SECRET ?? [];
	const chain = chainOf(checked);
	const linkFiles = linkFilesOf(checked, chain);
	return {
		port: checked.PORT ?? DEFAULT_PORT,
		host: checked.HOST ?? DEFAULT_HOST,
		hubPath: checked.HUB_PATH ?? DEFAULT_HUB_PATH,
		chain,
		linkSecrets,
		tokenSecrets: checked.TOKEN_SECRET ?? derivedSecrets(linkSecrets),
		...(linkFiles === undefined ? {} : { linkFiles }),
		...(checked.TRUST_PROXY === undefined ? {} : { trustProxy: checked.TRUST_PROXY }),
		...(checked.ALLOWED_ORIGINS === undefined ? {} : { allowedOrigins: checked.ALLOWED_ORIGINS }),
		...(checked.SERVER_ID === undefined ? {} : { serverId: checked.SERVER_ID }),
		logLevel: checked.LOG_LEVEL ?? "info",
		drainMs: checked.DRAIN_MS ?? DEFAULT_DRAIN_MS,
		closeSpreadMs: checked.CLOSE_SPREAD_MS ?? DEFAULT_CLOSE_SPREAD_MS,
	};
}
