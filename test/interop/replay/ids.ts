/** Recorded ids and the live ones in their place. All have 22 characters, so that a frame keeps its lengths. */
export class IdMap {
	readonly #live = new Map<string, string>();

	set(recorded: string, live: string): void {
		if (recorded.length !== live.length) throw new Error(`${live} is not as long as ${recorded}`);
		const known = this.#live.get(recorded);
		if (known !== undefined && known !== live)
			throw new Error(`${recorded} is ${known} already, not ${live}`);
		this.#live.set(recorded, live);
	}

	/** The recorded id of a live one; itself where none is known. */
	recorded(live: string): string {
		for (const [recorded, each] of this.#live) if (each === live) return recorded;
		return live;
	}

	text(text: string): string {
		let mapped = text;
		for (const [recorded, live] of this.#live) mapped = mapped.replaceAll(recorded, live);
		return mapped;
	}

	bytes(bytes: Buffer): Buffer {
		return Buffer.from(this.text(bytes.toString("latin1")), "latin1");
	}

	/** The same value with the ids in all of its texts replaced. */
	value(value: unknown): unknown {
		if (typeof value === "string") return this.text(value);
		if (Array.isArray(value)) return value.map((each) => this.value(each));
		if (typeof value !== "object" || value === null) return value;
		return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, this.value(each)]));
	}
}
