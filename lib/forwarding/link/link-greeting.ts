import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { TrunklineError } from "../../errors/index.js";
import {
	commonVersion,
	type Hello,
	ID_BYTES,
	LINK_VERSIONS,
	type LinkRole,
	violation,
} from "../wire/index.js";

/** The session of a HELLO that names none: an app server speaks first, and learns the session from the answer. */
export const NO_SESSION: Buffer = Buffer.alloc(ID_BYTES);
/** A proxy's HELLO names it for a session that the app server cannot know yet. */
export const NEW_SESSION_FEATURE = "new";
/** Before the app server's proof among its features. */
const PROOF_PREFIX = "proof:";

/** A name for an instance or a session: 16 random bytes. */
export function newLinkId(): Buffer {
	return randomBytes(ID_BYTES);
}

/** Checks the role and the version of a peer. @throws TrunklineError ERR_LINK_PROTOCOL, ERR_LINK_VERSION */
export function checkHello(hello: Hello, role: LinkRole): void {
	if (hello.role !== role) throw violation(`a ${hello.role} greeted where a ${role} was expected`);
	if (commonVersion(LINK_VERSIONS, hello.versions) !== undefined) return;
	const theirs = hello.versions.join(" to ");
	const text = `It speaks the versions ${theirs} of native links, and this one ${LINK_VERSIONS.join(" to ")}: upgrade the older of both.`;
	throw new TrunklineError("ERR_LINK_VERSION", text);
}

/** By which an app server shows that it knows the secret as well: over the proxy's own proof, which is used once. */
export function answerProof(secret: string, proof: string): string {
	const answer = createHmac("sha256", secret).update(`trunkline-link app\n${proof}`).digest("base64url");
	return `${PROOF_PREFIX}${answer}`;
}

/** Whether a HELLO proves the secret. @throws TrunklineError ERR_LINK_REFUSED */
export function checkAnswerProof(hello: Hello, secret: string, proof: string): void {
	const found = Buffer.from(hello.features.find((feature) => feature.startsWith(PROOF_PREFIX)) ?? "");
	const expected = Buffer.from(answerProof(secret, proof));
	if (found.length === expected.length && timingSafeEqual(found, expected)) return;
	throw new TrunklineError(
		"ERR_LINK_REFUSED",
		"The app server did not prove that it knows the link's secret: is LINK_SECRET the same there?",
	);
}
