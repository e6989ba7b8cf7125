import { readMessagePack, writeMessagePack } from "../../protocols/index.js";
import { MAX_FEATURES, MAX_NAME_BYTES, MAX_SESSION_LINKS, violation } from "./limits.js";

/** The version of the link that is spoken here, lowest and highest. */
export const LINK_VERSIONS: readonly [lowest: number, highest: number] = [1, 1];
/** Bytes of the ids of an instance and of a session. */
export const ID_BYTES = 16;

/** Which end of a link: `proxy` opens it. */
export type LinkRole = "proxy" | "app";

/** The first segment of each link, in both directions. */
export interface Hello {
	/** Lowest and highest version that this end speaks, from 1. */
	readonly versions: readonly [lowest: number, highest: number];
	readonly role: LinkRole;
	/** Names the process: 16 random bytes, made when it starts. */
	readonly instance: Buffer;
	/** Names the session: 16 random bytes, made by the proxy for each pair of instances. */
	readonly session: Buffer;
	/** The link's place in the pool, from 0. */
	readonly link: number;
	/** How often that place was connected, from 1. */
	readonly incarnation: number;
	/** Number of the last segment that was handed on at this end; 0 where none was. */
	readonly delivered: number;
	/** Bytes of DATA bodies that may be sent to this end beyond `delivered`. */
	readonly window: number;
	/** What this end can do beside the version, by name. */
	readonly features: readonly string[];
}

/** The map of a HELLO. */
export function writeHello(hello: Hello): Buffer {
	const { versions, ...fields } = hello;
	return writeMessagePack({ v: versions, ...fields });
}

/** Reads the map of a HELLO; fields that are not known are ignored. @throws TrunklineError ERR_LINK_PROTOCOL */
export function readHello(body: Buffer): Hello {
	const fields = readMap(body);
	return {
		versions: readVersions(fields["v"]),
		role: readRole(fields["role"]),
		instance: readId(fields["instance"], "instance"),
		session: readId(fields["session"], "session"),
		link: readNumber(fields["link"], { name: "link", most: MAX_SESSION_LINKS - 1 }),
		incarnation: readNumber(fields["incarnation"], { name: "incarnation", least: 1 }),
		delivered: readNumber(fields["delivered"], { name: "delivered" }),
		window: readNumber(fields["window"], { name: "window" }),
		features: readFeatures(fields["features"]),
	};
}

/** The highest version that both ends speak; undefined where there is none. */
export function commonVersion(ours: Hello["versions"], theirs: Hello["versions"]): number | undefined {
	const highest = Math.min(ours[1], theirs[1]);
	return highest >= Math.max(ours[0], theirs[0]) ? highest : undefined;
}

function readMap(body: Buffer): Readonly<Record<string, unknown>> {
	const value = decode(body);
	if (typeof value !== "object" || value === null || Array.isArray(value))
		throw violation("a HELLO is not a map");
	return value as Readonly<Record<string, unknown>>;
}

function decode(body: Buffer): unknown {
	try {
		return readMessagePack(body);
	} catch (cause) {
		throw violation("a HELLO is not MessagePack", { cause });
	}
}

function readVersions(value: unknown): Hello["versions"] {
	if (!Array.isArray(value) || value.length !== 2) throw violation('"v" of a HELLO is not two numbers');
	const lowest = readNumber(value[0], { name: "v", least: 1 });
	return [lowest, readNumber(value[1], { name: "v", least: lowest })];
}

function readRole(value: unknown): LinkRole {
	if (value === "proxy" || value === "app") return value;
	throw violation('"role" of a HELLO is neither proxy nor app');
}

function readId(value: unknown, name: string): Buffer {
	if (Buffer.isBuffer(value) && value.length === ID_BYTES) return value;
	throw violation(`"${name}" of a HELLO is not ${ID_BYTES} bytes`);
}

interface NumberRange {
	readonly name: string;
	readonly least?: number;
	readonly most?: number;
}

function readNumber(value: unknown, range: NumberRange): number {
	const { name, least = 0, most = Number.MAX_SAFE_INTEGER } = range;
	if (typeof value === "number" && Number.isInteger(value) && value >= least && value <= most) return value;
	throw violation(`"${name}" of a HELLO is not a whole number within ${least} and ${most}`);
}

function readFeatures(value: unknown): readonly string[] {
	if (!Array.isArray(value) || value.length > MAX_FEATURES || !value.every(isName))
		throw violation(
			`"features" of a HELLO are not at most ${MAX_FEATURES} texts of at most ${MAX_NAME_BYTES} bytes`,
		);
	return value;
}

function isName(value: unknown): value is string {
	return typeof value === "string" && Buffer.byteLength(value) <= MAX_NAME_BYTES;
}
