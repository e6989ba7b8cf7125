/** Characters of a person's name that are kept. */
export const MAX_NAME_LENGTH = 50;
/** Characters of a chat message that are kept. */
export const MAX_TEXT_LENGTH = 1_000;
/** Chat messages that the room remembers. */
export const MAX_MESSAGES = 100;
/** People in the chat room at the same time. */
export const MAX_USERS = 1_000;
/** Rows of the employee list. */
export const MAX_EMPLOYEES = 100;

/** What a client sent, as text without blanks around it and not longer than `most` characters. */
export function limitText(value: unknown, most: number): string {
	if (typeof value !== "string" && typeof value !== "number") return "";
	// By code points, so that no character is cut in two.
	return Array.from(String(value).trim()).slice(0, most).join("");
}
