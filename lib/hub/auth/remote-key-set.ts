import type { JSONWebKeySet, JWSHeaderParameters } from "jose";
import type { Clock } from "../../base/index.js";
import { messageOf, TrunklineError } from "../../errors/index.js";
import { loadJose } from "./jose.js";
import { type KeySource, PUBLIC_KEY_ALGORITHMS, type VerificationKey } from "./jwt-keys.js";
import { type JwtAlgorithm, optionError, type ResolvedJwtOptions } from "./jwt-options.js";

/** How long a key set that cannot be renewed is used beyond its age: an issuer's outage is no reason to refuse everybody. */
const STALE_MS = 3_600_000;
/** Least time between two attempts when the last one failed. */
const RETRY_MS = 1_000;
/** Bytes of a key set that are read. */
const MAX_BYTES = 1_048_576;

type Finder = Awaited<ReturnType<typeof finderOf>>;

interface Fetched {
	readonly find: Finder;
	/** By the clock's `elapsed`. */
	readonly at: number;
}

/**
 * The public keys of an issuer, fetched when they are needed: at the first token, when they are old, and when a token
 * names a key that is not there (the issuer has a new one). However many tokens come, one fetch runs at a time, and
 * none before the cooldown is over.
 */
export class RemoteKeySet implements KeySource {
	readonly algorithms: readonly JwtAlgorithm[] = PUBLIC_KEY_ALGORITHMS;
	readonly #url: URL;
	readonly #settings: ResolvedJwtOptions;
	readonly #clock: Clock;
	#fetched: Fetched | undefined;
	#failedAt = Number.NEGATIVE_INFINITY;
	#pending: Promise<Fetched> | undefined;

	/** @throws TrunklineError ERR_OPTION */
	constructor(url: string | URL, settings: ResolvedJwtOptions) {
		this.#url = checkUrl(url);
		this.#settings = settings;
		this.#clock = settings.clock;
	}

	/** @throws TrunklineError ERR_AUTHENTICATION_UNAVAILABLE where the keys cannot be known now */
	async keysFor(header: JWSHeaderParameters): Promise<readonly VerificationKey[]> {
		const { jwksMaxAgeMs, jwksCooldownMs } = this.#settings;
		const keys = await (await this.#notOlderThan(jwksMaxAgeMs)).find(header);
		if (keys.length > 0) return keys;
		return (await this.#notOlderThan(jwksCooldownMs)).find(header);
	}

	async #notOlderThan(maxAgeMs: number): Promise<Fetched> {
		const known = this.#fetched;
		if (known && this.#ageOf(known) < maxAgeMs) return known;
		try {
			return await this.#fetch();
		} catch (error) {
			if (known && this.#ageOf(known) < maxAgeMs + STALE_MS) return known;
			throw error;
		}
	}

	#ageOf({ at }: Fetched): number {
		return this.#clock.elapsed() - at;
	}

	#fetch(): Promise<Fetched> {
		if (this.#pending) return this.#pending;
		if (this.#clock.elapsed() - this.#failedAt < RETRY_MS) return Promise.reject(this.#unavailable());
		this.#pending = this.#load().finally(() => {
			this.#pending = undefined;
		});
		return this.#pending;
	}

	async #load(): Promise<Fetched> {
		try {
			const find = await finderOf(await download(this.#url, this.#settings.jwksTimeoutMs));
			this.#fetched = { find, at: this.#clock.elapsed() };
			return this.#fetched;
		} catch (cause) {
			this.#failedAt = this.#clock.elapsed();
			throw this.#unavailable(cause);
		}
	}

	#unavailable(cause?: unknown): TrunklineError {
		const why = cause === undefined ? "it failed a moment ago" : messageOf(cause);
		return new TrunklineError(
			"ERR_AUTHENTICATION_UNAVAILABLE",
			`The keys at ${this.#url.origin}${this.#url.pathname} could not be fetched (${why}), so that no token can be checked.`,
			cause === undefined ? {} : { cause },
		);
	}
}

function checkUrl(given: string | URL): URL {
	let url: URL;
	try {
		url = new URL(given);
	} catch (cause) {
		throw optionError("jwksUrl", "must be an absolute url", cause);
	}
	if (url.username !== "" || url.password !== "") {
		throw optionError("jwksUrl", "must have no user name and password in it: public keys need none");
	}
	const isLocal = /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(url.hostname);
	if (url.protocol === "https:" || (url.protocol === "http:" && isLocal)) return url;
	throw optionError(
		"jwksUrl",
		"must be https:, or on this machine: whoever can change the keys on their way can sign",
	);
}

async function download(url: URL, timeoutMs: number): Promise<JSONWebKeySet> {
	const headers = { accept: "application/json, application/jwk-set+json" };
	const answer = await fetch(url, { headers, redirect: "error", signal: AbortSignal.timeout(timeoutMs) });
	if (answer.status !== 200) {
		await answer.body?.cancel();
		throw new Error(`HTTP ${answer.status}`);
	}
	const parts: Uint8Array[] = [];
	let bytes = 0;
	for await (const part of answer.body ?? []) {
		bytes += part.length;
		if (bytes > MAX_BYTES) throw new Error(`more than ${MAX_BYTES} bytes`);
		parts.push(part);
	}
	return JSON.parse(Buffer.concat(parts).toString()) as JSONWebKeySet;
}

/** How to find keys in a set. @throws where it is none */
async function finderOf(
	set: JSONWebKeySet,
): Promise<(header: JWSHeaderParameters) => Promise<readonly VerificationKey[]>> {
	const { createLocalJWKSet, errors } = await loadJose();
	const find = createLocalJWKSet(set);
	return async (header) => {
		try {
			return [await find(header)];
		} catch (error) {
			if (error instanceof errors.JWKSNoMatchingKey) return [];
			// Without a `kid`, each key of the right type may be the one.
			if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw error;
			const keys: VerificationKey[] = [];
			for await (const key of error) keys.push(key);
			return keys;
		}
	};
}
