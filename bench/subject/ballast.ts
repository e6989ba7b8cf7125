// Takes its half of a core, for as long as its parent lives: what shares the core with it has the other half.

/** Short enough to notice in time that the parent is gone. */
const TURN_MS = 5;

function spin(): void {
	for (const start = performance.now(); performance.now() - start < TURN_MS; );
	setImmediate(spin);
}

process.on("disconnect", () => process.exit());
process.send?.({ result: null });
spin();
