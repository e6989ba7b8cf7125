/** Answers the requests of the parent that has started this process, as its `Child` expects it, and ends with it. */
export function answerParent<Request>(answerTo: (request: Request) => Promise<unknown>): void {
	process.on("disconnect", () => process.exit());
	process.on("message", (request: Request) => {
		answerTo(request).then(
			(result) => process.send?.({ result: result ?? null }),
			(error: unknown) => process.send?.({ error: error instanceof Error ? error.message : String(error) }),
		);
	});
	process.send?.({ result: null });
}
