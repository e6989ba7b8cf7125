import { TrunklineError } from "../errors/index.js";

/** What a client that came over dotNetify's wire speaks, as its connection shows it. */
export const LINK_PROTOCOL_NAME = "dotnetify-link";
/** Largest message on a link, in bytes; the same at both ends. */
export const DEFAULT_MAX_LINK_MESSAGE_BYTES: number = 1024 * 1024;

/** The handshake's error for a link whose proof is not accepted. */
export const PROOF_REFUSED = "The proof of the link was refused.";

const MIN_SECRET_LENGTH = 16;

/**
 * Checks a secret that was given: an unset environment variable is none.
 * @throws TrunklineError ERR_OPTION where it is too short to be one.
 */
export function secretOption(name: string, secret: string): string {
	if (secret.length >= MIN_SECRET_LENGTH) return secret;
	throw new TrunklineError(
		"ERR_OPTION",
		`Option "${name}" must have ${MIN_SECRET_LENGTH} characters or more; found ${secret.length}. A good one: 32 random bytes in hex.`,
	);
}
