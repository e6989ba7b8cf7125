import { createHmac } from "node:crypto";
import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import * as z from "zod";
import type { CertificateNames } from "../lib/forwarding/index.js";
import { TrunklineError, type TrustProxy } from "../lib/index.js";

/** The levels of `LOG_LEVEL`, most talkative first. */
export const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const;

/** One of {@link LOG_LEVELS}. */
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Longest `DRAIN_MS`. */
export const MAX_DRAIN_MS = 600_000;

/** What TLS is served with. */
export interface AppServerTls {
	readonly cert: string;
	readonly key: string;
	/** Who signs the certificates of proxies. @defaultValue nobody is asked for a certificate */
	readonly ca?: string | undefined;
}

/** What the app server reads from its environment; README has the same table. */
export interface AppServerSettings {
	/** `PORT`: the port to listen on; 0 takes any free one. @defaultValue 5001 */
	readonly port: number;
	/** `HOST`: the address to listen on; anything but a loopback address lets other machines in. @defaultValue "127.0.0.1" */
	readonly host: string;
	/** `HUB_PATH`: where the hub is. @defaultValue "/dotnetify" */
	readonly hubPath: string;
	/** `LINK_SECRET`: what proxies must prove to know; two, separated by a comma, while it is being changed. @defaultValue none */
	readonly linkSecrets: readonly string[];
	/** `TLS_CERT`, `TLS_KEY`, `LINK_CA`: what TLS is served with, in PEM. @defaultValue none: plain HTTP */
	readonly tls?: AppServerTls | undefined;
	/** `LINK_NAMES`: names of proxies' certificates, or `any` of the CA in `LINK_CA`. @defaultValue none */
	readonly linkNames?: CertificateNames | undefined;
	/** `LINK_TRUSTED`: networks whose proxies need no secret; never one with a load balancer in it. @defaultValue none */
	readonly linkTrusted: readonly string[];
	/**
	 * `TRUST_PROXY`: whose forwarding headers tell a client's address: the number of proxies in front, or their networks.
	 * @defaultValue false (nobody's)
	 */
	readonly trustProxy: TrustProxy;
	/** `ALLOWED_ORIGINS`: the pages of other sites that may connect. @defaultValue none (the same host's only) */
	readonly allowedOrigins: readonly string[];
	/** `LOG_LEVEL`: the least important level that is written. @defaultValue "info" */
	readonly logLevel: LogLevel;
	/** `SERVER_ID`: how this server is called in tokens, logs and on the pages. @defaultValue a random one */
	readonly serverId: string | undefined;
	/**
	 * `TOKEN_SECRET`: signs connection tokens; two, separated by a comma, while it is being changed.
	 * @defaultValue derived from `LINK_SECRET`, else random
	 */
	readonly tokenSecrets: readonly string[] | undefined;
	/** `DRAIN_MS`: how long `/ready` answers 404 before SIGTERM ends the server, for load balancers to notice. @defaultValue 0 ms */
	readonly drainMs: number;
}

interface Rule<Value> {
	/** What a right value looks like, for the error message. */
	readonly expected: string;
	/** The value, or undefined when the text is not a right one. */
	parse(text: string): Value | undefined;
	/** The error message then does not repeat the value. */
	readonly secret?: true;
}

/** A variable that is absent, or text of the given form. An empty one counts as absent, as compose files write it. */
function variable<Value>({ expected, parse, secret }: Rule<Value>) {
	return z
		.string()
		.optional()
		.transform((text, context): Value | undefined => {
			if (text === undefined || text.trim() === "") return undefined;
			const value = parse(text.trim());
			if (value !== undefined) return value;
			const found = secret ? "a value that is not shown" : shown(text);
			context.addIssue({ code: "custom", message: `found ${found}, expected ${expected}` });
			return z.NEVER;
		});
}

const SHOWN_CHARACTERS = 60;

function shown(text: string): string {
	if (text.length <= SHOWN_CHARACTERS) return JSON.stringify(text);
	return `${JSON.stringify(text.slice(0, SHOWN_CHARACTERS))}… (${text.length} characters)`;
}

function oneOf<const Words extends readonly string[]>(words: Words): Rule<Words[number]> {
	return { expected: `one of ${words.join(", ")}`, parse: (text) => words.find((word) => word === text) };
}

function matching(expected: string, pattern: RegExp): Rule<string> {
	return { expected, parse: (text) => (pattern.test(text) ? text : undefined) };
}

function wholeNumber(most: number): Rule<number> {
	return {
		expected: `a whole number from 0 to ${most}`,
		parse: (text) => (/^\d{1,9}$/.test(text) && Number(text) <= most ? Number(text) : undefined),
	};
}

function listOf(expected: string, isRight: (entry: string) => boolean): Rule<string[]> {
	return {
		expected,
		parse(text) {
			const entries = text.split(/[\s,]+/);
			return entries.every(isRight) ? entries : undefined;
		},
	};
}

function isNetwork(entry: string): boolean {
	const [address = "", bits, ...rest] = entry.split("/");
	const version = isIP(address);
	if (version === 0 || rest.length > 0) return false;
	return bits === undefined || wholeNumber(version === 4 ? 32 : 128).parse(bits) !== undefined;
}

function isNetworkOrName(entry: string): boolean {
	return isNetwork(entry) || /^(?:loopback|linklocal|uniquelocal)$/.test(entry);
}

function isOrigin(entry: string): boolean {
	return /^https?:/.test(entry) && URL.canParse(entry) && new URL(entry).origin === entry;
}

const secrets: Rule<string[]> = {
	expected: "a secret of at least 16 characters, or two with a comma between them while they are exchanged",
	secret: true,
	parse(text) {
		const entries = text.split(",").map((entry) => entry.trim());
		return entries.length <= 2 && entries.every((entry) => entry.length >= 16) ? entries : undefined;
	},
};

const trusted = listOf("", isNetworkOrName);

const pemFile: Rule<string> = {
	expected: "the path of a file in PEM",
	parse(path) {
		try {
			const text = readFileSync(path, "utf8");
			return text.includes("-----BEGIN ") ? text : undefined;
		} catch {
			return undefined;
		}
	},
};

const certificateNames: Rule<CertificateNames> = {
	expected: "names of certificates such as proxy1.internal, spiffe://acme/proxy, or any",
	parse(text) {
		if (text === "any") return "any";
		return listOf("", (entry) => entry !== "" && !entry.includes('"')).parse(text);
	},
};

const shape = z.object({
	PORT: variable(wholeNumber(65_535)),
	HOST: variable(matching("a host name or an address", /^[\w.:%-]+$/)),
	HUB_PATH: variable(matching("a path such as /dotnetify, without a / at its end", /^(?:\/[\w.~-]+)+$/)),
	LINK_SECRET: variable(secrets),
	TLS_CERT: variable(pemFile),
	TLS_KEY: variable(pemFile),
	LINK_CA: variable(pemFile),
	LINK_NAMES: variable(certificateNames),
	LINK_TRUSTED: variable(listOf("addresses or networks such as 10.0.3.0/24, 192.0.2.7", isNetwork)),
	TRUST_PROXY: variable<number | string[]>({
		expected: "the number of proxies in front, or their networks such as 10.0.0.0/8, 127.0.0.1",
		parse: (text) => wholeNumber(99).parse(text) ?? trusted.parse(text),
	}),
	ALLOWED_ORIGINS: variable(
		listOf("origins such as https://example.org, https://www.example.org:8443", isOrigin),
	),
	LOG_LEVEL: variable(oneOf(LOG_LEVELS)),
	SERVER_ID: variable(matching("1 to 32 letters, digits, - or _", /^[\w-]{1,32}$/)),
	TOKEN_SECRET: variable(secrets),
	DRAIN_MS: variable(wholeNumber(MAX_DRAIN_MS)),
});

/** Each needs the others: TLS has a certificate and its key, and proxies' certificates a CA and names. */
const TOGETHER = [
	["TLS_CERT", "TLS_KEY"],
	["TLS_KEY", "TLS_CERT"],
	["LINK_NAMES", "LINK_CA"],
	["LINK_CA", "LINK_NAMES"],
	["LINK_CA", "TLS_CERT"],
] as const;

const environment = shape.superRefine((read, context) => {
	for (const [given, missing] of TOGETHER) {
		if (read[given] === undefined || read[missing] !== undefined) continue;
		const { expected } = missing === "LINK_NAMES" ? certificateNames : pemFile;
		const message = `found nothing beside ${given}, expected ${expected}`;
		context.addIssue({ code: "custom", path: [missing], message });
	}
});

/**
 * Reads the settings from an environment (`process.env`).
 *
 * @throws TrunklineError `ERR_CONFIGURATION` with one line for the first wrong variable: its name, what was found (not
 * of a secret) and what was expected.
 */
export function readSettings(env: Readonly<Record<string, string | undefined>>): AppServerSettings {
	const result = environment.safeParse(env);
	if (!result.success) throw refuse(result.error);
	const read = result.data;
	return {
		port: read.PORT ?? 5001,
		host: read.HOST ?? "127.0.0.1",
		hubPath: read.HUB_PATH ?? "/dotnetify",
		linkSecrets: read.LINK_SECRET ?? [],
		tls: tlsOf(read),
		linkNames: read.LINK_NAMES,
		linkTrusted: read.LINK_TRUSTED ?? [],
		trustProxy: read.TRUST_PROXY ?? false,
		allowedOrigins: read.ALLOWED_ORIGINS ?? [],
		logLevel: read.LOG_LEVEL ?? "info",
		serverId: read.SERVER_ID,
		tokenSecrets: read.TOKEN_SECRET ?? read.LINK_SECRET?.map(tokenSecretOf),
		drainMs: read.DRAIN_MS ?? 0,
	};
}

function tlsOf({
	TLS_CERT: cert,
	TLS_KEY: key,
	LINK_CA: ca,
}: z.output<typeof shape>): AppServerTls | undefined {
	return cert === undefined || key === undefined ? undefined : { cert, key, ca };
}

/** The same as in the proxies, so that all that share `LINK_SECRET` take each other's tokens. */
function tokenSecretOf(linkSecret: string): string {
	return createHmac("sha256", linkSecret).update("trunkline connection tokens").digest("base64url");
}

function refuse(error: z.ZodError): TrunklineError {
	const [first] = error.issues;
	const line = `${first?.path.join(".")}: ${first?.message}`;
	return new TrunklineError("ERR_CONFIGURATION", line, { cause: error });
}
