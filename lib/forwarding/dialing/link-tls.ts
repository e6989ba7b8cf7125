import { createSecureContext } from "node:tls";
import type { Clock } from "../../base/index.js";
import { messageOf, TrunklineError } from "../../errors/index.js";
import { CERTIFICATE_PROOF, writeProof } from "../link-proof.js";

/** What links over TLS are made with; the names are those of Node's `tls.connect`. The app server is always verified. */
export interface LinkTls {
	/** The proxy's certificate in PEM, and those between it and its CA: proves to `acceptLinks` that this is a link. */
	readonly cert?: string | Buffer | undefined;
	/** The key of `cert`, in PEM. */
	readonly key?: string | Buffer | undefined;
	/** Opens `key`, where that is encrypted. */
	readonly passphrase?: string | undefined;
	/** Who may have signed the app server's certificate, in PEM. @defaultValue those that Node knows */
	readonly ca?: string | Buffer | readonly (string | Buffer)[] | undefined;
	/** The name that the app server's certificate must have. @defaultValue the host of its url */
	readonly servername?: string | undefined;
}

/** {@link LinkTls}, checked. */
export interface ResolvedLinkTls {
	/** Whether it proves who we are. */
	readonly hasCertificate: boolean;
	/** What the next connection is made with, as `tls.connect` takes it; whatever the function throws that was given. */
	options(): object;
}

/**
 * Checks the option `tls`; a function is asked before each connection, so that certificates can be renewed.
 * @throws TrunklineError ERR_OPTION where it cannot be used now.
 */
export function tlsOption(tls: LinkTls | (() => LinkTls) | undefined): ResolvedLinkTls | undefined {
	if (tls === undefined) return undefined;
	const read = typeof tls === "function" ? tls : () => tls;
	const { cert, key, options } = checked(read);
	if ((cert === undefined) !== (key === undefined)) {
		const [given, missing] = cert === undefined ? ["key", "cert"] : ["cert", "key"];
		throw new TrunklineError(
			"ERR_OPTION",
			`Option "tls" has ${given} but no ${missing}: they belong together.`,
		);
	}
	return {
		hasCertificate: cert !== undefined,
		options: () => (typeof tls === "function" ? given(tls()) : options),
	};
}

/** What a link has to prove itself with. */
export interface LinkCredentials {
	readonly secret: string | undefined;
	readonly tls?: ResolvedLinkTls | undefined;
	readonly clock: Clock;
}

/** What a link says of itself in its upgrade request; empty where it has nothing to prove itself with. */
export function proofOf({ secret, tls, clock }: LinkCredentials): string {
	if (secret !== undefined) return writeProof(secret, clock.now());
	return tls?.hasCertificate ? CERTIFICATE_PROOF : "";
}

/** For the log, where an app server refuses what {@link proofOf} has said. */
export function refusalText({ secret }: LinkCredentials): string {
	return secret === undefined
		? "An app server refuses this proxy's certificate: its log says why."
		: "An app server refuses this proxy's links: set LINK_SECRET to the same value on both, and keep both clocks right.";
}

/** For the log, where an app server takes no native link: to who proves nothing it may not say that it knows them. */
export function unknownText({ secret, tls }: Pick<LinkCredentials, "secret" | "tls">): string {
	return secret !== undefined || tls?.hasCertificate
		? "An app server knows no native link; dotNetify's wire is spoken to it."
		: "An app server takes no native link of this proxy, which proves nothing; dotNetify's wire is spoken to it. If it takes links, set LINK_SECRET to the same value on both.";
}

function checked(read: () => LinkTls): LinkTls & { readonly options: object } {
	try {
		const tls = read();
		const options = given(tls);
		createSecureContext(options);
		return { ...tls, options };
	} catch (cause) {
		throw new TrunklineError("ERR_OPTION", `Option "tls" cannot be used: ${messageOf(cause)}.`, { cause });
	}
}

/** Nothing else of what is given: an app server that is not verified could be anybody. */
function given({ cert, key, passphrase, ca, servername }: LinkTls): object {
	const entries = Object.entries({ cert, key, passphrase, ca, servername });
	return Object.fromEntries(entries.filter(([, value]) => value !== undefined));
}
