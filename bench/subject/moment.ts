/** Milliseconds since the machine began, the same in every process of it: Linux has one monotonic clock for all. */
export function moment(): number {
	return Number(process.hrtime.bigint()) / 1e6;
}
