import { readFileSync } from "node:fs";
import type { LinkTls } from "../lib/forwarding/index.js";

/** Paths of PEM files that links over TLS are made with. */
export interface LinkFiles {
	/** The proxy's certificate, which proves its links; with {@link key}. */
	readonly cert?: string | undefined;
	readonly key?: string | undefined;
	/** Who signs the app servers' certificates. @defaultValue the CAs that Node knows */
	readonly ca?: string | undefined;
}

/** Reads the files as they are now, so that certificates can be renewed. @throws Error where one cannot be read */
export function readLinkFiles({ cert, key, ca }: LinkFiles): LinkTls {
	return { cert: read(cert), key: read(key), ca: read(ca) };
}

/** True for a file that can be read, and is PEM. */
export function isPemFile(path: string): boolean {
	try {
		return read(path)?.includes("-----BEGIN ") === true;
	} catch {
		return false;
	}
}

/** True for a url whose links are TLS. */
export function isTlsUrl(url: string): boolean {
	return new URL(url).protocol === "https:";
}

function read(path: string | undefined): string | undefined {
	return path === undefined ? undefined : readFileSync(path, "utf8");
}
