/** Has a server under test answer its parent's one request: what its heap and its buffers hold after a collection, in bytes. */
export function answerCollections(): void {
	process.on("disconnect", () => process.exit());
	process.on("message", () => {
		globalThis.gc?.();
		const { heapUsed, external } = process.memoryUsage();
		process.send?.({ result: heapUsed + external });
	});
}
