import type { JWTPayload, JWTVerifyOptions } from "jose";
import { messageOf, TrunklineError } from "../../errors/index.js";
import type { ConnectionRequest, User } from "../../transports/index.js";
import { bearerToken } from "./bearer-token.js";
import { loadJose } from "./jose.js";
import { type KeySource, localKeys, type VerificationKey } from "./jwt-keys.js";
import {
	type JwtAlgorithm,
	type JwtOptions,
	type JwtUser,
	optionError,
	type ResolvedJwtOptions,
	resolveJwtOptions,
} from "./jwt-options.js";
import { RemoteKeySet } from "./remote-key-set.js";

/**
 * An `authenticate` for the hub's option of that name: verifies the JSON Web Token (signed, RFC 7519) that
 * {@link bearerToken} finds, at every HTTP request. The user it gives has the claim `sub` (or the option `userId`) as
 * `id`, all claims as `claims`, and as `expiresAt` when this verifier would begin to refuse the token: `exp` and the
 * clock tolerance.
 *
 * What it throws says why, and never holds the token: `ERR_AUTHENTICATION` where the token is missing, wrong, or too
 * long; `ERR_AUTHENTICATION_UNAVAILABLE` where a key set cannot be fetched.
 * @throws TrunklineError ERR_OPTION at once, where the options make no sense or are not safe
 */
export function jwtAuthentication(
	options: JwtOptions,
): (request: ConnectionRequest) => Promise<User | undefined> {
	const settings = resolveJwtOptions(options);
	// localKeys has seen that one of the three is there.
	const keys = localKeys(options) ?? new RemoteKeySet(options.jwksUrl ?? "", settings);
	const algorithms = allowedAlgorithms(options.algorithms, keys);
	const verifier = new JwtVerifier(settings, keys, algorithms);
	return (request) => verifier.authenticate(request);
}

function allowedAlgorithms(
	given: readonly JwtAlgorithm[] | undefined,
	{ algorithms }: KeySource,
): JwtAlgorithm[] {
	if (given === undefined) return [...algorithms];
	if (given.length === 0) throw optionError("algorithms", "must name at least one");
	const wrong = given.find((name) => !algorithms.includes(name));
	if (wrong === undefined) return [...given];
	const found = JSON.stringify(wrong);
	throw optionError("algorithms", `may hold ${algorithms.join(", ")} with these keys; found ${found}`);
}

class JwtVerifier {
	readonly #settings: ResolvedJwtOptions;
	readonly #keys: KeySource;
	readonly #algorithms: JwtAlgorithm[];
	readonly #checks: JWTVerifyOptions;

	constructor(settings: ResolvedJwtOptions, keys: KeySource, algorithms: JwtAlgorithm[]) {
		const { issuer, audience, type, requiredClaims, clockToleranceMs } = settings;
		this.#settings = settings;
		this.#keys = keys;
		this.#algorithms = algorithms;
		this.#checks = {
			...{ algorithms, requiredClaims, clockTolerance: clockToleranceMs / 1_000 },
			...(issuer && { issuer }),
			...(audience && { audience }),
			...(type !== undefined && { typ: type }),
		};
	}

	async authenticate(request: ConnectionRequest): Promise<User | undefined> {
		const token = bearerToken(request);
		if (token === undefined) return this.#withoutToken();
		if (Buffer.byteLength(token) > this.#settings.maxTokenBytes) {
			throw refused(`is longer than "maxTokenBytes" (${this.#settings.maxTokenBytes})`);
		}
		const user = await this.#settings.mapUser(this.#userOf(await this.#verify(token)), request);
		if (user) return user;
		throw refused('is of somebody whom "mapUser" does not know');
	}

	#withoutToken(): undefined {
		if (!this.#settings.required) return undefined;
		throw new TrunklineError("ERR_AUTHENTICATION", "The request has no bearer token, and one is required.");
	}

	async #verify(token: string): Promise<JWTPayload> {
		const { decodeProtectedHeader } = await loadJose();
		let keys: readonly VerificationKey[];
		try {
			const header = decodeProtectedHeader(token);
			if (!this.#algorithms.some((name) => name === header.alg)) {
				throw refused("is signed by an algorithm that is not accepted");
			}
			keys = await this.#keys.keysFor(header);
		} catch (error) {
			throw await refusalOf(error);
		}
		if (keys.length === 0) throw refused("is signed by a key that is not known");
		return this.#verifyByAny(token, keys);
	}

	async #verifyByAny(token: string, keys: readonly VerificationKey[]): Promise<JWTPayload> {
		const { jwtVerify, errors } = await loadJose();
		const checks = { ...this.#checks, currentDate: new Date(this.#settings.clock.now()) };
		let failure: unknown;
		for (const key of keys) {
			try {
				return (await jwtVerify(token, key, checks)).payload;
			} catch (error) {
				failure = error;
				if (!(error instanceof errors.JWSSignatureVerificationFailed)) break;
			}
		}
		throw await refusalOf(failure);
	}

	#userOf(claims: JWTPayload): JwtUser {
		const id = this.#idOf(claims);
		// Kept as long as its connection: spreads would give each one a hidden class of its own.
		const user: { -readonly [Name in keyof JwtUser]: JwtUser[Name] } = { claims };
		if (id !== undefined) user.id = id;
		if (claims.exp === undefined) return user;
		const expiresAt = claims.exp * 1_000 + this.#settings.clockToleranceMs;
		user.expiresAt = Math.min(expiresAt, Number.MAX_SAFE_INTEGER);
		return user;
	}

	#idOf(claims: JWTPayload): string | undefined {
		const { userId } = this.#settings;
		const id = typeof userId === "function" ? userId(claims) : ownClaim(claims, userId);
		if (id === undefined || typeof id === "string") return id;
		if (Number.isSafeInteger(id)) return String(id);
		throw refused("has a user id that is neither text nor a whole number");
	}
}

function ownClaim(claims: JWTPayload, name: string): unknown {
	return Object.hasOwn(claims, name) ? claims[name] : undefined;
}

function refused(why: string, cause?: unknown): TrunklineError {
	const options = cause === undefined ? {} : { cause };
	return new TrunklineError("ERR_AUTHENTICATION", `The bearer token ${why}.`, options);
}

/** What may be said of a failure: jose's errors about claims carry all of them, and go no further. */
async function refusalOf(error: unknown): Promise<TrunklineError> {
	if (error instanceof TrunklineError) return error;
	const { errors } = await loadJose();
	if (error instanceof errors.JWTExpired) return refused("has expired");
	if (error instanceof errors.JWTClaimValidationFailed) {
		return refused(`has no claim "${error.claim}" that is as it must be (${error.reason})`);
	}
	if (error instanceof errors.JWSSignatureVerificationFailed) {
		return refused("has a signature that is not by the known keys", error);
	}
	const why = error instanceof errors.JOSEError ? error.code : messageOf(error);
	return refused(`cannot be checked (${why})`, error);
}
