import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { type Clock, countOption, durationOption, randomId, systemClock } from "../base/index.js";
import { TrunklineError } from "../errors/index.js";

/** How long a token can be used to open a connection, in milliseconds. */
export const DEFAULT_TOKEN_LIFETIME_MS = 15_000;
/** How far in the future a token's time may lie, in milliseconds: the clocks of two processes differ a little. */
export const TOKEN_SKEW_MS = 5_000;
/** Characters of a secret, at least: who guesses it makes tokens. */
export const MIN_SECRET_LENGTH = 16;
/** How many used tokens a process remembers until they expire. */
export const DEFAULT_MAX_USED_TOKENS = 131_072;

/** Options of {@link createTokens}. */
export interface TokenOptions {
	/** Prefix of the tokens made here, 1 to 32 of `A-Z a-z 0-9 _ -`; a load balancer can route by it. */
	readonly serverId: string;
	/**
	 * Keys, 16 characters each at least. The first signs; all verify, so that a new one can be put in front while the old one still holds. Processes
	 * that share one accept each other's tokens (but for those of version 0). @defaultValue random per process
	 */
	readonly secrets?: readonly string[] | undefined;
	/** @defaultValue 15,000 ms */
	readonly lifetimeMs?: number | undefined;
	/** How many used tokens are remembered; at the bound opening is refused rather than reuse allowed. @defaultValue 131,072 */
	readonly maxUsed?: number | undefined;
	readonly clock?: Clock | undefined;
}

/**
 * What a token was made for: the version of negotiate, and whether stateful reconnect was granted with it (version 1
 * only). It is part of what is signed, so that a process that did not negotiate knows it too.
 */
export type TokenKind = 0 | 1 | "reconnect";

/** What negotiate hands out. */
export interface IssuedToken {
	/** The key that later requests carry as `id=`. A bearer secret (for version 0 the public id itself). */
	readonly token: string;
	/** The public id; the token cannot be derived from it (version 0: equal to the token). */
	readonly connectionId: string;
}

/** What a genuine token says. */
export interface ReadToken {
	readonly connectionId: string;
	/** True once it can no longer open a connection; requests of an open one go on carrying it. */
	readonly isExpired: boolean;
	/** Stateful reconnect was granted with it. */
	readonly isReconnectable: boolean;
}

/**
 * Connection tokens `<server>.<issuedAt>.<random>.<signature>`: signed, so that any process with the secret can open
 * the connection that another one negotiated, with the id that was negotiated; bound to the user who negotiated.
 */
export interface ConnectionTokens {
	/** Makes a token. Negotiate version 0 knows one value only, which is key and id in one; only its maker reads it. */
	issue(userId: string | undefined, kind: TokenKind): IssuedToken;
	/** What `token` says; undefined when it is not genuine, of the future, another user's, or of version 0 and another server's. */
	read(token: string, userId: string | undefined): ReadToken | undefined;
	/**
	 * The ids that a connection opened with `token` can have, genuine or not: to find one that is open. Whoever has the
	 * token of an open connection negotiated it, or got it from who did.
	 */
	idsOf(token: string): readonly string[];
	/**
	 * Marks the token of `connectionId` as used.
	 * @returns false when this process has seen it before
	 * @throws TrunklineError `ERR_LIMIT` when too many are remembered
	 */
	use(connectionId: string): boolean;
	/** Used tokens that are remembered now. */
	readonly used: number;
}

interface Key {
	readonly sign: Buffer;
	readonly id: Buffer;
}

const SHARED_KINDS: readonly TokenKind[] = [1, "reconnect"];
const OWN_KINDS: readonly TokenKind[] = [...SHARED_KINDS, 0];
const SERVER_ID = /^[A-Za-z0-9_-]{1,32}$/;
const TOKEN = /^[A-Za-z0-9_-]{1,32}\.([0-9a-z]{1,10})\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}$/;

/** Makes {@link ConnectionTokens}. @throws TrunklineError `ERR_OPTION` */
export function createTokens(options: TokenOptions): ConnectionTokens {
	return new SignedTokens(options);
}

function mac(key: Buffer | string, text: string): Buffer {
	return createHmac("sha256", key).update(text).digest();
}

/** One secret gives two unrelated keys: who knows an id (made with one) learns nothing of a signature (the other). */
function deriveKey(secret: string): Key {
	return { sign: mac(secret, "trunkline token signature"), id: mac(secret, "trunkline connection id") };
}

function signature(key: Key, body: string, bound: { userId: string | undefined; kind: TokenKind }): string {
	const user = bound.userId === undefined ? "-" : `=${bound.userId}`;
	return mac(key.sign, `${bound.kind}\n${body}\n${user}`).toString("base64url");
}

function deriveId(key: Key, token: string): string {
	return mac(key.id, token).subarray(0, 16).toString("base64url");
}

function isEqual(left: string, right: string): boolean {
	const a = Buffer.from(left);
	const b = Buffer.from(right);
	return a.length === b.length && timingSafeEqual(a, b);
}

class SignedTokens implements ConnectionTokens {
	readonly #serverId: string;
	readonly #keys: readonly [Key, ...Key[]];
	readonly #lifetimeMs: number;
	readonly #maxUsed: number;
	readonly #clock: Clock;
	/** Connection id of each used token to the time (by the clock's `elapsed`) when it can be forgotten; oldest first. */
	readonly #used = new Map<string, number>();

	constructor(options: TokenOptions) {
		this.#serverId = checkServerId(options.serverId);
		this.#keys = deriveKeys(options.secrets);
		this.#lifetimeMs = durationOption("tokenLifetimeMs", options.lifetimeMs, DEFAULT_TOKEN_LIFETIME_MS);
		this.#maxUsed = countOption("maxUsedTokens", options.maxUsed, DEFAULT_MAX_USED_TOKENS);
		this.#clock = options.clock ?? systemClock;
	}

	get used(): number {
		return this.#used.size;
	}

	issue(userId: string | undefined, kind: TokenKind): IssuedToken {
		const [key] = this.#keys;
		const body = `${this.#serverId}.${this.#clock.now().toString(36)}.${randomId()}`;
		const token = `${body}.${signature(key, body, { userId, kind })}`;
		return { token, connectionId: kind === 0 ? token : deriveId(key, token) };
	}

	read(token: string, userId: string | undefined): ReadToken | undefined {
		const issuedAt = TOKEN.exec(token)?.[1];
		if (issuedAt === undefined) return undefined;
		const ageMs = this.#clock.now() - Number.parseInt(issuedAt, 36);
		if (ageMs < -TOKEN_SKEW_MS) return undefined;
		const found = this.#verify(token, userId);
		if (!found) return undefined;
		const { connectionId, isReconnectable } = found;
		return { connectionId, isReconnectable, isExpired: ageMs > this.#lifetimeMs };
	}

	idsOf(token: string): readonly string[] {
		return TOKEN.test(token) ? [...this.#keys.map((key) => deriveId(key, token)), token] : [];
	}

	#verify(token: string, userId: string | undefined): Omit<ReadToken, "isExpired"> | undefined {
		const end = token.lastIndexOf(".");
		const body = token.slice(0, end);
		const given = token.slice(end + 1);
		// The id of version 0 is its key, and public: elsewhere whoever knows it could open the connection again.
		const kinds = body.startsWith(`${this.#serverId}.`) ? OWN_KINDS : SHARED_KINDS;
		for (const key of this.#keys) {
			const kind = kinds.find((each) => isEqual(given, signature(key, body, { userId, kind: each })));
			if (kind === undefined) continue;
			return {
				connectionId: kind === 0 ? token : deriveId(key, token),
				isReconnectable: kind === "reconnect",
			};
		}
		return undefined;
	}

	use(connectionId: string): boolean {
		// Not the time of day: set back, it would keep all that was used before from being forgotten.
		const now = this.#clock.elapsed();
		this.#forgetExpired(now);
		if (this.#used.has(connectionId)) return false;
		if (this.#used.size >= this.#maxUsed) {
			throw new TrunklineError(
				"ERR_LIMIT",
				`${this.#maxUsed} used connection tokens are remembered already; raise "maxUsedTokens" if this is real traffic.`,
			);
		}
		this.#used.set(connectionId, now + this.#lifetimeMs + TOKEN_SKEW_MS);
		return true;
	}

	#forgetExpired(now: number): void {
		for (const [connectionId, until] of this.#used) {
			if (until >= now) break;
			this.#used.delete(connectionId);
		}
	}
}

function checkServerId(serverId: string): string {
	if (typeof serverId === "string" && SERVER_ID.test(serverId)) return serverId;
	throw new TrunklineError(
		"ERR_OPTION",
		`Option "serverId" must be 1 to 32 characters of A-Z, a-z, 0-9, "_" and "-"; found ${JSON.stringify(serverId)}.`,
	);
}

/** Checks the option `tokenSecrets`. @throws TrunklineError ERR_OPTION */
export function checkTokenSecrets(secrets: readonly string[] | undefined): void {
	deriveKeys(secrets);
}

function deriveKeys(secrets: readonly string[] | undefined): readonly [Key, ...Key[]] {
	const given = secrets === undefined ? [randomBytes(32).toString("base64url")] : secrets;
	// A text would be taken letter by letter.
	const [first, ...rest] = Array.isArray(given) ? given.map(deriveGivenKey) : [];
	if (first === undefined) {
		throw new TrunklineError("ERR_OPTION", 'Option "tokenSecrets" must be a list of at least one secret.');
	}
	return [first, ...rest];
}

function deriveGivenKey(secret: string): Key {
	if (typeof secret === "string" && secret.length >= MIN_SECRET_LENGTH) return deriveKey(secret);
	const found = typeof secret === "string" ? `one of ${secret.length}` : typeof secret;
	// The value itself stays out of the message: it may be half a secret.
	throw new TrunklineError(
		"ERR_OPTION",
		`Each entry of option "tokenSecrets" must be a text of at least ${MIN_SECRET_LENGTH} characters; found ${found}.`,
	);
}
