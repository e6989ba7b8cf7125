/** One log call: fields first, then a sentence. pino's loggers fit as they are. */
export type LogMethod = (fields: object, message: string) => void;

/** The log that every room writes to. Tokens, cookies and payloads never go to it at a level above `debug`. */
export interface Log {
	readonly debug: LogMethod;
	readonly info: LogMethod;
	readonly warn: LogMethod;
	readonly error: LogMethod;
}

function nothing(): void {}

/** Writes nowhere; the default of a library. */
export const silentLog: Log = { debug: nothing, info: nothing, warn: nothing, error: nothing };
