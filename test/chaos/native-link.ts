/**
 * Whether links between proxies and app servers are native (PROTOCOL.md, "The native link"). Over dotNetify's wire a link's
 * loss is told instead of made good, so what is expected of the native link alone is skipped.
 */
export const NATIVE_LINK: boolean = true;

/** Skips a test, or the tests of a suite, that dotNetify's wire does not pass. */
export function needsNativeLink(context: Mocha.Context, why: string): void {
	if (NATIVE_LINK) return;
	console.log(`      skipped: ${why} (needs the native link)`);
	context.skip();
}
