/** How a client wrote its arguments. */
export type ArgumentEncoding = "json" | "messagepack";

/** How those write their values who speak the hub protocol of this name; json for one that is unknown. */
export function encodingOf(protocolName: unknown): ArgumentEncoding {
	return protocolName === "messagepack" ? "messagepack" : "json";
}

/** What arguments that wait may hold beside their own bytes. */
const MOST_BESIDE = 256;

/**
 * The arguments of an invocation. They come either as values, or as the bytes that the peer sent, which are decoded
 * on first use: a message that is only forwarded is never decoded.
 */
export class Arguments {
	/** How `bytes` are written; absent where the arguments were made from values. */
	readonly encoding: ArgumentEncoding | undefined;
	#bytes: Buffer | undefined;
	#values: readonly unknown[] | undefined;
	readonly #decode: ((bytes: Buffer) => readonly unknown[]) | undefined;

	private constructor(
		values: readonly unknown[] | undefined,
		encoding?: ArgumentEncoding,
		source?: { readonly bytes: Buffer; readonly decode: (bytes: Buffer) => readonly unknown[] },
	) {
		this.#values = values;
		this.encoding = encoding;
		this.#bytes = source?.bytes;
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

	/** The array of arguments as the peer wrote it (json text, or one messagepack array); absent as above. */
	get bytes(): Buffer | undefined {
		return this.#bytes;
	}

	/**
	 * Gives them bytes of their own, where these are a small part of what came with them: for those who have to wait, and
	 * would hold all of that.
	 */
	own(): void {
		const bytes = this.#bytes;
		if (!bytes || bytes.buffer.byteLength <= bytes.length + MOST_BESIDE) return;
		this.#bytes = Buffer.allocUnsafeSlow(bytes.length);
		bytes.copy(this.#bytes);
	}

	/** The decoded arguments. */
	get values(): readonly unknown[] {
		this.#values ??= this.#bytes && this.#decode ? this.#decode(this.#bytes) : [];
		return this.#values;
	}

	/** The first argument. */
	get first(): unknown {
		return this.values[0];
	}
}
