import type { KeyObject, webcrypto } from "node:crypto";
import {
	booleanOption,
	type Clock,
	countOption,
	durationOption,
	functionOption,
	refuseUnknown,
	systemClock,
} from "../../base/index.js";
import { TrunklineError } from "../../errors/index.js";
import type { ConnectionRequest, User } from "../../transports/index.js";

/** Longest token that is looked at, in bytes. Node takes 16 KiB for all headers of a request. */
export const DEFAULT_MAX_TOKEN_BYTES = 8_192;
/** How far the clocks of issuer and hub may differ, in milliseconds. */
export const DEFAULT_CLOCK_TOLERANCE_MS = 5_000;
/** How long a key set is used before it is fetched again, in milliseconds. */
export const DEFAULT_JWKS_MAX_AGE_MS = 600_000;
/** Least time between two fetches of a key set for keys that it did not have, in milliseconds. */
export const DEFAULT_JWKS_COOLDOWN_MS = 30_000;
/** How long a fetch of a key set may take, in milliseconds. */
export const DEFAULT_JWKS_TIMEOUT_MS = 5_000;

/** Signature algorithms (RFC 7518, RFC 8037, RFC 9864). There is no `none`. */
export type JwtAlgorithm =
	| "HS256"
	| "HS384"
	| "HS512"
	| "RS256"
	| "RS384"
	| "RS512"
	| "PS256"
	| "PS384"
	| "PS512"
	| "ES256"
	| "ES384"
	| "ES512"
	| "EdDSA"
	| "Ed25519";

/** A public key: PEM (`BEGIN PUBLIC KEY` or `BEGIN CERTIFICATE`), a JSON Web Key, or Node's own. */
export type JwtPublicKey = string | webcrypto.JsonWebKey | Readonly<Record<string, unknown>> | KeyObject;

/** A user whose token was verified. */
export interface JwtUser extends User {
	/** All claims of the token. */
	readonly claims: Readonly<Record<string, unknown>>;
}

/** Options of `jwtAuthentication`: exactly one of `secret`, `publicKey` and `jwksUrl`, and what is asked of a token. */
export interface JwtOptions {
	/**
	 * What issuer and hub share, for HS256, HS384 and HS512: 32 bytes or more (a text counts in UTF-8). Whoever has it can
	 * make tokens. Several while one replaces another.
	 */
	readonly secret?: string | Uint8Array | readonly (string | Uint8Array)[] | undefined;
	/** The issuer's public key. Several while one replaces another. */
	readonly publicKey?: JwtPublicKey | readonly JwtPublicKey[] | undefined;
	/**
	 * Where the issuer publishes its public keys (a JSON Web Key Set), `https:` or on this machine. Fetched at the first
	 * token, then every `jwksMaxAgeMs`, and when a token names a key that it does not have.
	 */
	readonly jwksUrl?: string | URL | undefined;
	/**
	 * Algorithms that are accepted. HMAC is refused beside public keys: it would let anybody sign by what is public.
	 * @defaultValue those that fit the keys
	 */
	readonly algorithms?: readonly JwtAlgorithm[] | undefined;
	/**
	 * Who must have issued the token (`iss`); `null`: anybody who can sign. Has to be given with `jwksUrl`.
	 * @defaultValue anybody
	 */
	readonly issuer?: string | readonly string[] | null | undefined;
	/**
	 * Whom the token must be for (`aud`); `null`: anybody, so that a token which a user gave to another service of the same
	 * issuer opens yours. Has to be given with `jwksUrl`. @defaultValue anybody
	 */
	readonly audience?: string | readonly string[] | null | undefined;
	/** What the header `typ` must be, `at+jwt` for access tokens by RFC 9068. @defaultValue anything */
	readonly type?: string | undefined;
	/** Claims that must be there, beside those asked for above. Without `exp` a token is good for ever. @defaultValue `["exp"]` */
	readonly requiredClaims?: readonly string[] | undefined;
	/** How far the clocks of issuer and hub may differ. @defaultValue 5_000 ms */
	readonly clockToleranceMs?: number | undefined;
	/** The claim that is the user's id (`ctx.user.id`), or how to find it. @defaultValue `"sub"` */
	readonly userId?: string | ((claims: Readonly<Record<string, unknown>>) => string | undefined) | undefined;
	/** Whether a request without a token is refused with 401; if not, it is anonymous. @defaultValue true */
	readonly required?: boolean | undefined;
	/**
	 * Makes the hub's user of a verified one: adds roles, looks it up. Throwing, or `undefined`, refuses with 401.
	 * @defaultValue as it is
	 */
	readonly mapUser?:
		| ((user: JwtUser, request: ConnectionRequest) => Promise<User | undefined> | User | undefined)
		| undefined;
	/** Longest token that is looked at; longer ones are refused unread. @defaultValue 8_192 bytes */
	readonly maxTokenBytes?: number | undefined;
	/** How long a key set is used before it is fetched again. @defaultValue 600_000 ms */
	readonly jwksMaxAgeMs?: number | undefined;
	/** Least time between two fetches for keys that the set did not have: anybody can name any key. @defaultValue 30_000 ms */
	readonly jwksCooldownMs?: number | undefined;
	/** How long a fetch may take. Keep it below the hub's `authenticateTimeoutMs`. @defaultValue 5_000 ms */
	readonly jwksTimeoutMs?: number | undefined;
	/** @defaultValue the system's */
	readonly clock?: Clock | undefined;
}

/** {@link JwtOptions} checked and filled in, but for the keys. */
export interface ResolvedJwtOptions {
	readonly issuer: string[] | undefined;
	readonly audience: string[] | undefined;
	readonly type: string | undefined;
	readonly requiredClaims: string[];
	readonly clockToleranceMs: number;
	readonly userId: NonNullable<JwtOptions["userId"]>;
	readonly required: boolean;
	readonly mapUser: NonNullable<JwtOptions["mapUser"]>;
	readonly maxTokenBytes: number;
	readonly jwksMaxAgeMs: number;
	readonly jwksCooldownMs: number;
	readonly jwksTimeoutMs: number;
	readonly clock: Clock;
}

/** What the keys are found by. */
const KEY_OPTIONS: readonly (keyof JwtOptions)[] = ["secret", "publicKey", "jwksUrl", "algorithms"];

/** Checks `options`, the keys aside. @throws TrunklineError ERR_OPTION */
export function resolveJwtOptions(options: JwtOptions): ResolvedJwtOptions {
	const { clockToleranceMs, maxTokenBytes, jwksMaxAgeMs, jwksCooldownMs, jwksTimeoutMs } = options;
	const resolved = {
		issuer: expected("issuer", options),
		audience: expected("audience", options),
		type: options.type,
		requiredClaims: [...(options.requiredClaims ?? ["exp"])],
		clockToleranceMs: countOption("clockToleranceMs", clockToleranceMs, DEFAULT_CLOCK_TOLERANCE_MS, 0),
		userId: options.userId ?? "sub",
		required: booleanOption("required", options.required, true),
		mapUser: functionOption("mapUser", options.mapUser) ?? ((user) => user),
		maxTokenBytes: countOption("maxTokenBytes", maxTokenBytes, DEFAULT_MAX_TOKEN_BYTES),
		jwksMaxAgeMs: durationOption("jwksMaxAgeMs", jwksMaxAgeMs, DEFAULT_JWKS_MAX_AGE_MS),
		jwksCooldownMs: durationOption("jwksCooldownMs", jwksCooldownMs, DEFAULT_JWKS_COOLDOWN_MS),
		jwksTimeoutMs: durationOption("jwksTimeoutMs", jwksTimeoutMs, DEFAULT_JWKS_TIMEOUT_MS),
		clock: options.clock ?? systemClock,
	};
	const known = [...KEY_OPTIONS, ...Object.keys(resolved)];
	refuseUnknown(options, known, { owner: "jwtAuthentication", help: "docs/authentication.md has them." });
	return resolved;
}

function expected(name: "issuer" | "audience", options: JwtOptions): string[] | undefined {
	const value = options[name];
	if (value === undefined && options.jwksUrl !== undefined) {
		throw optionError(
			name,
			'must be given with "jwksUrl", whose issuer signs for others too; null accepts any',
		);
	}
	if (value === undefined || value === null) return undefined;
	const values = typeof value === "string" ? [value] : [...value];
	// An empty list, or an environment variable that is not set, would check nothing.
	if (values.length > 0 && values.every((entry) => typeof entry === "string" && entry !== "")) return values;
	throw optionError(name, "must be a text that is not empty, a list of such, or null");
}

/** An `ERR_OPTION` that names the option and not its value, which may be secret. */
export function optionError(name: string, what: string, cause?: unknown): TrunklineError {
	return new TrunklineError("ERR_OPTION", `Option "${name}" ${what}.`, cause === undefined ? {} : { cause });
}
