/** How a client wrote its arguments. */
export type ArgumentEncoding = "json" | "messagepack";

/** How those write their values who speak the hub protocol of this name; json for one that is unknown. */
export function encodingOf(protocolName: unknown): ArgumentEncoding {
	return protocolName === "messagepack" ? "messagepack" : "json";
}

/**
 * The arguments of an invocation. They come either as values, or as the bytes that the peer sent, which are decoded
 * on first use: a message that is only forwarded is never decoded.
 */
export class Arguments {
	/** How `bytes` are written; absent where the arguments were made from values. */
	readonly encoding: ArgumentEncoding | undefined;
	/** The array of arguments as the peer wrote it (json text, or one messagepack array); absent as above. */
	readonly bytes: Buffer | undefined;
	#values: readonly unknown[] | undefined;
	readonly #decode: ((bytes: Buffer) => readonly unknown[]) | undefined;

	private constructor(
		values: readonly unknown[] | undefined,
		encoding?: ArgumentEncoding,
		source?: { readonly bytes: Buffer; readonly decode: (bytes: Buffer) => readonly unknown[] },
	) {
		this.#values = values;
		this.encoding = encoding;
		this.bytes = source?.bytes;
		this.#decode = source?.decode;
	}

	/** Arguments from values. */
	static of(values: readonly unknown[]): Arguments {
		return new Arguments(values);
	}

	/** Arguments from a peer's bytes; `decode` gets them, runs at most once, and may throw ERR_PROTOCOL. */
	static from(
		encoding: ArgumentEncoding,
		bytes: Buffer,
		decode: (bytes: Buffer) => readonly unknown[],
	): Arguments {
		return new Arguments(undefined, encoding, { bytes, decode });
	}

	/** The decoded arguments. */
	get values(): readonly unknown[] {
		this.#values ??= this.bytes && this.#decode ? this.#decode(this.bytes) : [];
		return this.#values;
	}

	/** The first argument. */
	get first(): unknown {
		return this.values[0];
	}
}
