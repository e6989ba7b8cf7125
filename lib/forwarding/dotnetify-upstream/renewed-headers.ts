import { jsonText } from "../../protocols/index.js";
import type { ForwardedMessage } from "./forwarded-message.js";

/** What stands in the text of data with headers. */
const MARK = 'headers"';

type Fields = Readonly<Record<string, unknown>>;

/** The `$headers` of a request or an update as JSON text; undefined where it has none. */
export function headersTextOf({ kind, args }: ForwardedMessage): string | undefined {
	const [, text] = args;
	const mayHave = kind === "request" || kind === "update";
	// Every update passes here, and most have none: they are not read.
	if (!mayHave || typeof text !== "string" || !text.includes(MARK)) return undefined;
	const headers = fieldsOf(text)?.["$headers"];
	return isFields(headers) ? jsonText(headers) : undefined;
}

/** A request with these `$headers` in place of its own; itself where its data cannot be read. */
export function withHeaders(request: ForwardedMessage, headersText: string): ForwardedMessage {
	const [vmId, text = null, ...others] = request.args;
	const fields = text === null ? {} : fieldsOf(text);
	if (!fields) return request;
	const renewed = jsonText({ ...fields, $headers: JSON.parse(headersText) as unknown });
	const bytes = request.bytes - String(text).length + renewed.length;
	return { ...request, args: [vmId, renewed, ...others], bytes };
}

/** A view model's data, which is JSON text on dotNetify's wire. */
function fieldsOf(text: unknown): Fields | undefined {
	if (typeof text !== "string") return undefined;
	try {
		const data: unknown = JSON.parse(text);
		return isFields(data) ? data : undefined;
	} catch {
		return undefined;
	}
}

function isFields(value: unknown): value is Fields {
	return typeof value === "object" && value !== null && !Array.isArray(value);
}
