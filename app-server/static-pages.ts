import { readFile } from "node:fs/promises";
import { join, sep } from "node:path";
import { fileURLToPath } from "node:url";
import type { Middleware } from "koa";
import serveStatic from "koa-static";
import { TrunklineError } from "../lib/index.js";

/** The pages that app-server/pages/app.tsx knows; each is the same document. */
export const PAGE_PATHS: readonly string[] = [
	"/",
	"/hello-world",
	"/simple-list",
	"/live-chart",
	"/chat-room",
];

/**
 * Where `npm run build` puts the pages, seen from this file: dist/app-server/ when compiled, app-server/ when it is
 * run as it stands.
 */
export const BUILT_PAGES: string = fileURLToPath(
	new URL(import.meta.url.endsWith(".ts") ? "../dist/pages/" : "../pages/", import.meta.url),
);

const CONTENT_SECURITY_POLICY = [
	"default-src 'none'",
	"script-src 'self'",
	"style-src 'self'",
	"img-src 'self'",
	// Covers the WebSocket to the same host and port, too.
	"connect-src 'self'",
	"base-uri 'none'",
	"form-action 'none'",
	"frame-ancestors 'none'",
].join("; ");

const ONE_YEAR_SECONDS = 31_536_000;

/** What {@link servePages} needs. */
export interface PagesOptions {
	/** The folder with index.html and assets/. @defaultValue {@link BUILT_PAGES} */
	readonly directory?: string | undefined;
	/** The hub's path, for the pages to connect to. */
	readonly hubPath: string;
}

/**
 * Serves the built pages with security headers. Files under assets/ have their content's hash in their names and are
 * kept by browsers for a year; everything else is asked for again each time.
 *
 * @throws TrunklineError `ERR_CONFIGURATION` when the folder has no index.html, that is, when the pages are not built.
 */
export async function servePages({ directory = BUILT_PAGES, hubPath }: PagesOptions): Promise<Middleware> {
	const html = await readFile(join(directory, "index.html"), "utf8").catch((cause: unknown) => {
		const message = `There are no pages in ${directory}: run "npm run build".`;
		throw new TrunklineError("ERR_CONFIGURATION", message, { cause });
	});
	const page = html.replace(
		'<meta name="hub-path" content="/dotnetify"',
		`<meta name="hub-path" content="${hubPath}"`,
	);
	const files = serveStatic(directory, {
		index: false,
		setHeaders: (response, path) => keepAssets(response, path),
	});

	return (ctx, next) => {
		ctx.set("X-Content-Type-Options", "nosniff");
		ctx.set("Content-Security-Policy", CONTENT_SECURITY_POLICY);
		ctx.set("Referrer-Policy", "same-origin");
		ctx.set("Cache-Control", "no-cache");
		const reads = ctx.method === "GET" || ctx.method === "HEAD";
		if (!reads || !(PAGE_PATHS.includes(ctx.path) || ctx.path === "/index.html")) return files(ctx, next);
		ctx.type = "html";
		ctx.body = page;
		return undefined;
	};
}

interface HeaderTarget {
	setHeader(name: string, value: string): unknown;
}

function keepAssets(response: HeaderTarget, path: string): void {
	if (!path.includes(`${sep}assets${sep}`)) return;
	response.setHeader("Cache-Control", `public, max-age=${ONE_YEAR_SECONDS}, immutable`);
}
