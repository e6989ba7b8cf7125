import { createPublicKey, createSecretKey, type JsonWebKeyInput, KeyObject } from "node:crypto";
import type { JWSHeaderParameters } from "jose";
import { type JwtAlgorithm, type JwtOptions, type JwtPublicKey, optionError } from "./jwt-options.js";

/** A key that a token may have been signed by. */
export type VerificationKey = KeyObject | CryptoKey;

type CryptoKey = import("node:crypto").webcrypto.CryptoKey;

/** Finds keys by the header of a token, which nobody has vouched for yet. */
export interface KeySource {
	/** Algorithms that this source's keys can be for. */
	readonly algorithms: readonly JwtAlgorithm[];
	/** Keys that may verify a token with this header; none where there are none. */
	keysFor(header: JWSHeaderParameters): Promise<readonly VerificationKey[]>;
}

const HMAC: readonly JwtAlgorithm[] = ["HS256", "HS384", "HS512"];
const RSA: readonly JwtAlgorithm[] = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"];
const EDWARDS: readonly JwtAlgorithm[] = ["EdDSA", "Ed25519"];
const BY_CURVE: Readonly<Record<string, JwtAlgorithm>> = {
	prime256v1: "ES256",
	secp384r1: "ES384",
	secp521r1: "ES512",
};
/** What a key set of an issuer may hold: nothing that is verified by a secret. */
export const PUBLIC_KEY_ALGORITHMS: readonly JwtAlgorithm[] = [
	...RSA,
	...Object.values(BY_CURVE),
	...EDWARDS,
];

/** RFC 7518 §3.2 asks for as many bytes as the hash has. */
const LEAST_SECRET_BYTES = 32;
/** RFC 7518 §3.3. */
const LEAST_RSA_BITS = 2_048;

interface LocalKey {
	readonly key: KeyObject;
	readonly algorithms: readonly JwtAlgorithm[];
}

/** Keys that were given. */
class LocalKeys implements KeySource {
	readonly algorithms: readonly JwtAlgorithm[];
	readonly #keys: readonly LocalKey[];

	constructor(keys: readonly LocalKey[]) {
		this.#keys = keys;
		this.algorithms = [...new Set(keys.flatMap(({ algorithms }) => algorithms))];
	}

	async keysFor({ alg }: JWSHeaderParameters): Promise<readonly VerificationKey[]> {
		return this.#keys
			.filter(({ algorithms }) => algorithms.some((name) => name === alg))
			.map(({ key }) => key);
	}
}

/** The keys that the options hold; undefined where they are fetched. @throws TrunklineError ERR_OPTION */
export function localKeys(options: JwtOptions): KeySource | undefined {
	const { secret, publicKey, jwksUrl } = options;
	if ([secret, publicKey, jwksUrl].filter((given) => given !== undefined).length !== 1) {
		throw optionError("secret", 'is needed, or "publicKey", or "jwksUrl": exactly one of the three');
	}
	if (secret !== undefined) return new LocalKeys(notEmpty("secret", listOf(secret)).map(secretKey));
	if (publicKey !== undefined) {
		return new LocalKeys(notEmpty("publicKey", listOf(publicKey)).map(publicKeyOf));
	}
	return undefined;
}

function listOf<T>(given: T | readonly T[]): readonly T[] {
	return Array.isArray(given) ? given : [given as T];
}

function notEmpty<T>(name: string, list: readonly T[]): readonly T[] {
	if (list.length === 0) throw optionError(name, "must have at least one key; found an empty list");
	return list;
}

function secretKey(given: string | Uint8Array): LocalKey {
	if (typeof given !== "string" && !(given instanceof Uint8Array)) {
		throw optionError("secret", "must be a text or bytes, or a list of such");
	}
	if (typeof given === "string" && given.includes("-----BEGIN")) {
		throw optionError("secret", 'must be a shared secret; found a PEM key, which belongs into "publicKey"');
	}
	const bytes = Buffer.from(given as Uint8Array);
	if (bytes.length < LEAST_SECRET_BYTES) {
		throw optionError("secret", `must have at least ${LEAST_SECRET_BYTES} bytes; found ${bytes.length}`);
	}
	return { key: createSecretKey(bytes), algorithms: HMAC };
}

function publicKeyOf(given: JwtPublicKey): LocalKey {
	const key = importPublicKey(given);
	const fitting = algorithmsOf(key);
	const named = isJwk(given) ? given["alg"] : undefined;
	const algorithms = named === undefined ? fitting : fitting.filter((name) => name === named);
	if (algorithms.length > 0) return { key, algorithms };
	throw optionError("publicKey", `has an "alg" that does not fit its key type ${key.asymmetricKeyType}`);
}

function importPublicKey(given: JwtPublicKey): KeyObject {
	if (isPrivate(given)) {
		throw optionError(
			"publicKey",
			"must be a public key; found one that can sign, which a hub must not have",
		);
	}
	try {
		if (given instanceof KeyObject) return given;
		return createPublicKey(isJwk(given) ? ({ key: given, format: "jwk" } as JsonWebKeyInput) : given);
	} catch (cause) {
		throw optionError("publicKey", "must be PEM text, a JSON Web Key, or a KeyObject of a public key", cause);
	}
}

function isJwk(given: JwtPublicKey): given is Exclude<JwtPublicKey, string | KeyObject> {
	return typeof given === "object" && given !== null && !(given instanceof KeyObject);
}

/** Node would make the public key of it, and the mistake would stay. */
function isPrivate(given: JwtPublicKey): boolean {
	if (typeof given === "string") return given.includes("PRIVATE KEY-----");
	if (given instanceof KeyObject) return given.type !== "public";
	return isJwk(given) && (given["d"] !== undefined || given["k"] !== undefined);
}

function algorithmsOf(key: KeyObject): readonly JwtAlgorithm[] {
	const { modulusLength = 0, namedCurve = "" } = key.asymmetricKeyDetails ?? {};
	switch (key.asymmetricKeyType) {
		case "rsa":
			if (modulusLength >= LEAST_RSA_BITS) return RSA;
			throw optionError("publicKey", `must have ${LEAST_RSA_BITS} bits for RSA; found ${modulusLength}`);
		case "ed25519":
			return EDWARDS;
		case "ec": {
			const algorithm = BY_CURVE[namedCurve];
			if (algorithm) return [algorithm];
			throw optionError("publicKey", `must be on P-256, P-384 or P-521; found ${namedCurve}`);
		}
		default:
			throw optionError("publicKey", `must be RSA, EC or Ed25519; found ${key.asymmetricKeyType}`);
	}
}
