/** Methods in a module of their own, as `import * as methods` has them. */
export function send(): string {
	return "sent";
}
