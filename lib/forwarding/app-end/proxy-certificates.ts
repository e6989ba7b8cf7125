import type { X509Certificate } from "node:crypto";
import { TrunklineError } from "../../errors/index.js";
import type { ConnectionRequest } from "../../hub/index.js";

/** Names of certificates that prove a proxy; `any`: every one that the TLS server has verified. */
export type CertificateNames = readonly string[] | "any";

/** One alternative name as `node:crypto` writes it; a value in which anything could be hidden stands in quotation marks. */
const ALTERNATIVE = /(?:^|, )([A-Za-z ]+):("(?:[^"\\]|\\.)*"|[^",]*)(?=, |$)/y;
/** Longest list of names in a line of the log, in characters. */
const MOST_SHOWN = 200;

/** Finds out whether a client's certificate proves that it is a proxy. */
export class ProxyCertificates {
	readonly #names: CertificateNames | undefined;
	/** Names of hosts know no case. */
	readonly #hosts: ReadonlySet<string>;
	readonly #others: ReadonlySet<string>;

	/** @throws TrunklineError ERR_OPTION */
	constructor(names: CertificateNames | undefined) {
		this.#names = checkNames(names);
		const list = names === "any" ? [] : (names ?? []);
		this.#hosts = new Set(list.map((name) => name.toLowerCase()));
		this.#others = new Set(list);
	}

	/** Whether any certificate could prove anything. */
	get isUsed(): boolean {
		return this.#names !== undefined && this.#names.length > 0;
	}

	/** Whether a request came with a certificate that proves a proxy. */
	allows({ certificate }: ConnectionRequest): boolean {
		if (!this.isUsed || certificate?.isVerified !== true) return false;
		return this.#names === "any" || namesOf(certificate.x509).some((name) => this.#isNamed(name));
	}

	/** Why a request's certificate proves nothing, and what to set; for the operator's log, never for the peer. */
	refusalOf({ certificate }: ConnectionRequest): string {
		if (!this.isUsed) return "no certificates are taken: set certificates of acceptLinks (LINK_NAMES)";
		if (!certificate) {
			return "it shows no certificate: the proxy needs cert and key (LINK_CERT, LINK_KEY) and a url with https, and the TLS server has to ask for it by requestCert and ca (LINK_CA)";
		}
		if (!certificate.isVerified) {
			return `its certificate is not verified, ${certificate.problem}: renew it, or add its CA to the TLS server's ca (LINK_CA)`;
		}
		const names = namesOf(certificate.x509).map(({ value }) => value);
		const shown = JSON.stringify(names.join(", ").slice(0, MOST_SHOWN));
		return `its certificate is of ${shown}, which certificates of acceptLinks (LINK_NAMES) does not name: add it there`;
	}

	#isNamed({ kind, value }: CertificateName): boolean {
		return kind === "DNS" ? this.#hosts.has(value.toLowerCase()) : this.#others.has(value);
	}
}

interface CertificateName {
	readonly kind: "DNS" | "URI" | "CN";
	readonly value: string;
}

/** Alternative names that say who; the common name only where there is none of any kind (RFC 6125 §6.4.4). */
function namesOf(x509: X509Certificate): readonly CertificateName[] {
	if (x509.subjectAltName !== undefined) return alternativeNames(x509.subjectAltName);
	const { CN } = (x509.toLegacyObject().subject ?? {}) as { readonly CN?: string | readonly string[] };
	return CN === undefined ? [] : [CN].flat().map((value) => ({ kind: "CN", value }));
}

/** No names at all where one of them cannot be told from the next. */
function alternativeNames(text: string): readonly CertificateName[] {
	const names: CertificateName[] = [];
	for (let at = 0; at < text.length; at = ALTERNATIVE.lastIndex) {
		ALTERNATIVE.lastIndex = at;
		const [, kind, value = ""] = ALTERNATIVE.exec(text) ?? [];
		if (kind === undefined) return [];
		if (kind === "DNS" || kind === "URI") names.push({ kind, value });
	}
	return names;
}

function checkNames(names: CertificateNames | undefined): CertificateNames | undefined {
	if (names === undefined || names === "any") return names;
	const found = Array.isArray(names) ? names.findIndex((name) => !isName(name)) : undefined;
	if (found === -1) return [...names];
	const value = found === undefined ? names : names[found];
	const at = found === undefined ? "" : `[${found}]`;
	throw new TrunklineError(
		"ERR_OPTION",
		`Option "certificates${at}" must be ${found === undefined ? 'a list of names of certificates, or "any"' : "the name of a certificate, such as proxy1.internal or spiffe://acme/proxy"}; found ${JSON.stringify(value) ?? "nothing: is the environment variable set that it comes from?"}.`,
	);
}

/** Quotation marks are where a certificate hides something. */
function isName(name: unknown): boolean {
	return typeof name === "string" && name !== "" && !name.includes('"');
}
