import { once } from "node:events";
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { exportJWK, generateKeyPair, type JWK, type JWTPayload, SignJWT } from "jose";
import type { ConnectionRequest } from "../../../lib/index.js";

export const SECRET = "a shared secret of more than 32 bytes, for tests";
export const ISSUER = "https://issuer.test";
export const AUDIENCE = "chat";
/** A moment at which all tokens here begin, in milliseconds since 1970. */
export const NOW = 1_700_000_000_000;

export type SigningKey = Parameters<SignJWT["sign"]>[0];

/** How a token of a test differs from a good one. */
export interface TokenChanges {
	readonly alg?: string;
	readonly key?: SigningKey;
	readonly kid?: string;
	readonly typ?: string;
	/** `undefined` leaves a claim out. */
	readonly claims?: Readonly<Record<string, unknown>>;
}

/** A token of Ada's that is good from NOW for an hour, but for `changes`. */
export async function tokenOf(changes: TokenChanges = {}, now = NOW): Promise<string> {
	const { alg = "HS256", key = bytesOf(SECRET), kid, typ, claims } = changes;
	const seconds = now / 1_000;
	const all = { sub: "ada", iss: ISSUER, aud: AUDIENCE, iat: seconds, exp: seconds + 3_600, ...claims };
	const header = { alg, ...(kid !== undefined && { kid }), ...(typ !== undefined && { typ }) };
	return new SignJWT(JSON.parse(JSON.stringify(all)) as JWTPayload).setProtectedHeader(header).sign(key);
}

export function bytesOf(text: string): Uint8Array {
	return new TextEncoder().encode(text);
}

/** A token made by hand: no library signs what must not be. */
export function forged(header: object, claims: object, signature = ""): string {
	const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
	return `${encode(header)}.${encode(claims)}.${signature}`;
}

/** A request as the endpoint describes it. */
export function requestWith(
	headers: ConnectionRequest["headers"],
	url = "/chat/negotiate?negotiateVersion=1",
	method = "POST",
): ConnectionRequest {
	return {
		...{ method, url, path: "/chat", query: new URL(url, "http://127.0.0.1").searchParams, headers },
		...{ remoteAddress: "127.0.0.1", remotePort: 1, localAddress: "127.0.0.1", localPort: 2 },
		...{ ip: "127.0.0.1", ips: [], protocol: "http", secure: false, host: "127.0.0.1" },
	};
}

export function bearer(token: string): ConnectionRequest {
	return requestWith({ authorization: `Bearer ${token}` });
}

/** An issuer's signing key, and what it publishes of it. */
export interface IssuerKey {
	readonly privateKey: SigningKey;
	readonly publicJwk: JWK;
}

export async function issuerKey(kid: string | undefined, alg = "ES256"): Promise<IssuerKey> {
	const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
	const publicJwk = { ...(await exportJWK(publicKey)), alg, ...(kid !== undefined && { kid }) };
	return { privateKey, publicJwk };
}

/** An issuer that publishes its keys on 127.0.0.1. */
export class Issuer {
	keys: readonly JWK[] = [];
	/** What is answered in place of the keys; another path than /keys answers with them all the same. */
	broken: { readonly status: number; readonly body: string } | undefined;
	requests = 0;
	readonly #server: Server;

	private constructor(server: Server) {
		this.#server = server;
	}

	static async start(): Promise<Issuer> {
		const server = createServer((req, res) => issuer.#answer(req.url, res));
		const issuer: Issuer = new Issuer(server);
		server.listen(0, "127.0.0.1");
		await once(server, "listening");
		return issuer;
	}

	get url(): string {
		return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/keys`;
	}

	async close(): Promise<void> {
		this.#server.close();
		this.#server.closeAllConnections();
		await once(this.#server, "close");
	}

	#answer(path: string | undefined, res: ServerResponse): void {
		this.requests++;
		const good = { status: 200, body: JSON.stringify({ keys: this.keys }) };
		const { status, body } = (path === "/keys" ? this.broken : undefined) ?? good;
		res.writeHead(status, { "content-type": "application/json", location: "/elsewhere" }).end(body);
	}
}
