import { generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";
import { isIP } from "node:net";

// Certificates for the tests (RFC 5280), as small as TLS takes them: node:crypto reads certificates but makes none.

const DAY_MS = 86_400_000;
const SEQUENCE = 0x30;
const ECDSA_WITH_SHA256 = tlv(SEQUENCE, oid("2a8648ce3d040302"));
const COMMON_NAME = oid("550403");
const ALTERNATIVE_NAMES = oid("551d11");
const BASIC_CONSTRAINTS = oid("551d13");
const TRUE = Buffer.of(0x01, 0x01, 0xff);

/** A certificate and its key, in PEM. */
export interface Identity {
	readonly cert: string;
	readonly key: string;
}

/** Whom a certificate is for. */
export interface CertificateFields {
	readonly commonName?: string;
	/** Alternative names: addresses, `scheme:…` as URI, all others as DNS names. */
	readonly names?: readonly string[];
	/** When it ends, in milliseconds since 1970. @defaultValue tomorrow */
	readonly until?: number;
}

function tlv(tag: number, ...parts: readonly Buffer[]): Buffer {
	const body = Buffer.concat(parts);
	const { length } = body;
	const size =
		length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
	return Buffer.concat([Buffer.of(tag, ...size), body]);
}

function oid(hex: string): Buffer {
	return tlv(0x06, Buffer.from(hex, "hex"));
}

function text(tag: number, value: string): Buffer {
	return tlv(tag, Buffer.from(value));
}

function time(ms: number): Buffer {
	return text(
		0x17,
		`${new Date(ms)
			.toISOString()
			.replaceAll(/[-:T]|\.\d+/g, "")
			.slice(2)}`,
	);
}

function nameOf(commonName: string | undefined): Buffer {
	if (commonName === undefined) return tlv(SEQUENCE);
	return tlv(SEQUENCE, tlv(0x31, tlv(SEQUENCE, COMMON_NAME, text(0x0c, commonName))));
}

function alternativeName(name: string): Buffer {
	if (isIP(name) === 4) return tlv(0x87, Buffer.from(name.split(".").map(Number)));
	return text(name.includes(":") ? 0x86 : 0x82, name);
}

function pem(label: string, der: Buffer): string {
	const lines = der.toString("base64").match(/.{1,64}/g) ?? [];
	return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ""].join("\n");
}

/** Signs certificates. */
export class CertificateAuthority {
	/** What those give as `ca` who are to take its certificates. */
	readonly cert: string;
	readonly #name: Buffer;
	readonly #key: KeyObject;

	constructor(commonName: string) {
		const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
		this.#name = nameOf(commonName);
		this.#key = privateKey;
		const isAuthority = tlv(SEQUENCE, BASIC_CONSTRAINTS, TRUE, tlv(0x04, tlv(SEQUENCE, TRUE)));
		this.cert = this.#sign(this.#name, publicKey, Date.now() + DAY_MS, [isAuthority]);
	}

	/** A new key, and a certificate for it. */
	issue({ commonName, names = [], until = Date.now() + DAY_MS }: CertificateFields): Identity {
		const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
		const alternatives = tlv(0x04, tlv(SEQUENCE, ...names.map(alternativeName)));
		const extensions = names.length === 0 ? [] : [tlv(SEQUENCE, ALTERNATIVE_NAMES, alternatives)];
		const cert = this.#sign(nameOf(commonName), publicKey, until, extensions);
		return { cert, key: privateKey.export({ type: "pkcs8", format: "pem" }) as string };
	}

	#sign(subject: Buffer, key: KeyObject, until: number, extensions: readonly Buffer[]): string {
		const serial = randomBytes(8);
		serial[0] = 0x40;
		const content = tlv(
			SEQUENCE,
			tlv(0xa0, Buffer.of(0x02, 0x01, 0x02)),
			tlv(0x02, serial),
			ECDSA_WITH_SHA256,
			this.#name,
			tlv(SEQUENCE, time(until - 2 * DAY_MS), time(until)),
			subject,
			key.export({ type: "spki", format: "der" }),
			...(extensions.length === 0 ? [] : [tlv(0xa3, tlv(SEQUENCE, ...extensions))]),
		);
		const signature = sign("sha256", content, this.#key);
		return pem("CERTIFICATE", tlv(SEQUENCE, content, ECDSA_WITH_SHA256, tlv(0x03, Buffer.of(0), signature)));
	}
}
