const LONE_SURROGATE = /\p{Surrogate}/u;

/** Whether UTF-8 can carry a text: none of it is half a surrogate pair. */
export function isWellFormed(text: string): boolean {
	return !LONE_SURROGATE.test(text);
}
