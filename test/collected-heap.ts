import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

/** Bytes that the heap and buffers hold after a collection. */
export async function collectedHeap(): Promise<number> {
	// What a finalizer lets go of is gone with the next collection.
	for (let k = 0; k < 3; k++) {
		collect();
		await new Promise((resolve) => setImmediate(resolve));
	}
	const { heapUsed, external } = process.memoryUsage();
	return heapUsed + external;
}
