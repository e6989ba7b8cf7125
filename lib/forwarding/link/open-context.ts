import { TrunklineError } from "../../errors/index.js";
import {
	type ClientConnection,
	type ConnectionRequest,
	MAX_PUSHED_BYTES,
	type PushedItem,
	type User,
} from "../../hub/index.js";
import { type ArgumentEncoding, encodingOf, readMessagePack } from "../../protocols/index.js";
import { forwardedHeaders } from "../client-context.js";
import type { OpenRequest } from "./opened-request.js";
import { ownText, ownValue } from "./own-text.js";

/** What an app server is told of a client, once, at its OPEN (PROTOCOL.md, "Frames"). */
export interface OpenContext {
	readonly connectionId: string;
	/** The hub protocol that the client speaks: records for it are written so. */
	readonly protocol: ArgumentEncoding;
	/** How ids of calls to the client begin. */
	readonly ids: string;
	/** Who it is, where the proxy has found out; else the app server does. */
	readonly user: User | undefined;
	readonly request: OpenRequest;
	/** Items that were pushed so far; undefined where there are none. */
	readonly items: readonly PushedItem[] | undefined;
}

/** As it crosses: items are pairs of name and value. */
export interface WrittenContext extends Omit<OpenContext, "items"> {
	readonly items: readonly (readonly [name: string, value: Buffer])[] | undefined;
}

const MAX_ID_LENGTH = 128;
const MAX_URL_LENGTH = 8 * 1024;
const MAX_ADDRESSES = 32;
const NOTHING: Buffer = Buffer.alloc(0);
/** Names of hosts have 253 characters at most; there is a port behind it. */
const MAX_HOST_LENGTH = 512;

/** Describes a client to an app server. What it proved itself with stays here once it is known who it is. */
export function openContextOf(client: ClientConnection, ids: string, serverId: string): WrittenContext {
	const { connectionId, user, request } = client;
	const items = [...client.pushed];
	return {
		connectionId,
		protocol: encodingOf(client.protocolName),
		ids,
		user,
		request: {
			url: forwardedUrl(request, user !== undefined),
			headers: forwardedHeaders(request, serverId, user !== undefined),
			...{ ip: request.ip, ips: request.ips.slice(0, MAX_ADDRESSES), remotePort: request.remotePort },
			...{ localAddress: request.localAddress, localPort: request.localPort },
			...{ secure: request.secure, host: request.host.slice(0, MAX_HOST_LENGTH) },
		},
		items: items.length === 0 ? undefined : items.map(({ name, value = NOTHING }) => [name, value]),
	};
}

/**
 * The path and query, without the tokens in it: `id` names a connection here, and `access_token` is a secret. The request
 * is not asked for its query, which it would keep.
 */
function forwardedUrl({ path, url }: ConnectionRequest, isAuthenticated: boolean): string {
	const at = url.indexOf("?");
	if (at < 0) return path.slice(0, MAX_URL_LENGTH);
	const kept = new URLSearchParams(url.slice(at + 1));
	kept.delete("id");
	if (isAuthenticated) kept.delete("access_token");
	const text = kept.toString();
	return (text === "" ? path : `${path}?${text}`).slice(0, MAX_URL_LENGTH);
}

/** The names on the wire; nothing is known of the values. */
type Fields = Readonly<Record<string, unknown>>;

/**
 * Checks what came as a client's context. What is kept for the client's whole life holds none of the bytes or text that
 * it was read from; the request is the reader's to keep as it likes. What is wrong with it may be the client's doing: only
 * it is to be refused.
 * @throws TrunklineError ERR_LINK_PROTOCOL where a member is missing or of another type.
 */
export function checkOpenContext(value: unknown): OpenContext {
	const fields = asFields(value, "context");
	const request = asFields(fields["request"], "request");
	return {
		connectionId: ownText(asText(fields["connectionId"], "connectionId", MAX_ID_LENGTH)),
		protocol: encodingOf(fields["protocol"]),
		ids: ownText(asText(fields["ids"] ?? "", "ids", MAX_ID_LENGTH)),
		user: fields["user"] === undefined || fields["user"] === null ? undefined : asUser(fields["user"]),
		request: {
			url: asText(request["url"], "url", MAX_URL_LENGTH),
			headers: asHeaders(request["headers"]),
			ip: asText(request["ip"], "ip", MAX_ID_LENGTH),
			ips: asList(request["ips"], "ips").slice(0, MAX_ADDRESSES),
			remotePort: asPort(request["remotePort"]),
			localAddress: asText(request["localAddress"], "localAddress", MAX_ID_LENGTH),
			localPort: asPort(request["localPort"]),
			secure: request["secure"] === true,
			host: asText(request["host"], "host", MAX_URL_LENGTH),
		},
		items: fields["items"] === undefined || fields["items"] === null ? undefined : asItems(fields["items"]),
	};
}

function asItems(value: unknown): PushedItem[] {
	if (!Array.isArray(value)) throw refuse('"items" must be a list');
	let left = 2 * MAX_PUSHED_BYTES;
	return value.map((pair: unknown) => {
		const [name, bytes] = Array.isArray(pair) ? pair : [];
		if (typeof name !== "string" || !Buffer.isBuffer(bytes)) throw refuse('"items" must be names and bytes');
		left -= name.length + bytes.length;
		if (left < 0) throw refuse(`"items" must have ${2 * MAX_PUSHED_BYTES} bytes at most`);
		readMessagePack(bytes);
		return { name: ownText(name), value: bytes };
	});
}

function asUser(value: unknown): User {
	const { id, claims, expiresAt } = asFields(value, "user") as { readonly [name: string]: unknown };
	// Not by spreads: each would give the object, which is kept, a hidden class of its own.
	const user: { -readonly [Name in keyof User]: User[Name] } = {};
	if (id !== undefined && id !== null) user.id = ownText(asText(id, "user.id", MAX_URL_LENGTH));
	if (claims !== undefined && claims !== null) user.claims = ownValue(asFields(claims, "user.claims"));
	if (typeof expiresAt === "number") user.expiresAt = expiresAt;
	return user;
}

function asHeaders(value: unknown): OpenRequest["headers"] {
	const headers = asFields(value, "headers");
	for (const [name, values] of Object.entries(headers)) asList(values, `headers.${name.slice(0, 64)}`);
	return headers as OpenRequest["headers"];
}

function asFields(value: unknown, name: string): Fields {
	if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Fields;
	throw refuse(`"${name}" must be a map`);
}

function asText(value: unknown, name: string, most: number): string {
	if (typeof value === "string" && value.length <= most) return value;
	throw refuse(`"${name}" must be text of at most ${most} characters`);
}

function asList(value: unknown, name: string): readonly string[] {
	if (Array.isArray(value) && value.every((each) => typeof each === "string")) return value;
	throw refuse(`"${name}" must be a list of texts`);
}

function asPort(value: unknown): number {
	return typeof value === "number" && Number.isInteger(value) ? value : 0;
}

function refuse(text: string): TrunklineError {
	return new TrunklineError("ERR_LINK_PROTOCOL", `The context of a forwarded client was refused: ${text}.`);
}
