import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import type { Clock } from "../base/index.js";

/** The header that a link's upgrade carries its proof in. */
export const LINK_HEADER = "trunkline-link";
/** What stands there in place of a proof where the link's certificate is the proof. */
export const CERTIFICATE_PROOF = "certificate";
/** How old a proof may be, and how far ahead of our clock, in milliseconds. */
const PROOF_LIFETIME_MS = 60_000;
/** Proofs remembered until they expire, so that none is used twice. */
export const MAX_REMEMBERED_PROOFS = 65_536;

const VERSION = "v1";
const FORM = /^v1\.([0-9a-z]{1,12})\.([A-Za-z0-9_-]{22})\.([A-Za-z0-9_-]{43})$/;

function sign(secret: string, issued: string, nonce: string): Buffer {
	return createHmac("sha256", secret).update(`trunkline-link\n${VERSION}\n${issued}\n${nonce}`).digest();
}

/** Writes a proof that its writer knows `secret`: `v1.<time>.<nonce>.<signature>`; PROTOCOL.md has the bytes. */
export function writeProof(secret: string, now: number): string {
	const issued = Math.floor(now).toString(36);
	const nonce = randomBytes(16).toString("base64url");
	return `${VERSION}.${issued}.${nonce}.${sign(secret, issued, nonce).toString("base64url")}`;
}

/** Why a proof was refused; for the operator's log, never for the peer. */
export type ProofVerdict = "valid" | "malformed" | "wrong secret" | "expired" | "used before";

/** Checks proofs against the secrets, each proof once. */
export class ProofChecker {
	readonly #secrets: readonly string[];
	readonly #clock: Clock;
	/** Nonces in the order of their use, with the time at which they may be forgotten. */
	readonly #used = new Map<string, number>();

	constructor(secrets: readonly string[], clock: Clock) {
		this.#secrets = secrets;
		this.#clock = clock;
	}

	check(proof: string): ProofVerdict {
		const [, issued, nonce, signature] = FORM.exec(proof) ?? [];
		if (issued === undefined || nonce === undefined || signature === undefined) return "malformed";
		if (this.#signer(issued, nonce, Buffer.from(signature, "base64url")) === undefined) return "wrong secret";
		const now = this.#clock.now();
		if (Math.abs(now - Number.parseInt(issued, 36)) > PROOF_LIFETIME_MS) return "expired";
		return this.#spend(nonce, now);
	}

	/** The secret that a proof was made with, whenever that was; undefined where it is none of ours. */
	secretOf(proof: string): string | undefined {
		const [, issued, nonce, signature] = FORM.exec(proof) ?? [];
		if (issued === undefined || nonce === undefined || signature === undefined) return undefined;
		return this.#signer(issued, nonce, Buffer.from(signature, "base64url"));
	}

	#signer(issued: string, nonce: string, signature: Buffer): string | undefined {
		return this.#secrets.find((secret) => timingSafeEqual(sign(secret, issued, nonce), signature));
	}

	#spend(nonce: string, now: number): ProofVerdict {
		for (const [known, until] of this.#used) {
			if (until >= now && this.#used.size < MAX_REMEMBERED_PROOFS) break;
			this.#used.delete(known);
		}
		if (this.#used.has(nonce)) return "used before";
		this.#used.set(nonce, now + 2 * PROOF_LIFETIME_MS);
		return "valid";
	}
}
