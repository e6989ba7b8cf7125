/** A document of measurements: what stands above its sections, and the sections by their titles, in order. */
export interface Document {
	readonly head: string;
	readonly sections: ReadonlyMap<string, string>;
}

const HEADING = /^## (.+)$/m;

/** Reads what {@link writeDocument} wrote. */
export function readDocument(text: string): Document {
	const [head = "", ...rest] = text.split(HEADING);
	const sections = new Map<string, string>();
	for (let at = 0; at + 1 < rest.length; at += 2) sections.set(rest[at] ?? "", (rest[at + 1] ?? "").trim());
	return { head: head.trim(), sections };
}

/** Writes a document, in Markdown. */
export function writeDocument({ head, sections }: Document): string {
	const parts = [...sections].map(([title, body]) => `## ${title}\n\n${body}`);
	return `${[head, ...parts].join("\n\n")}\n`;
}

/**
 * Puts what was measured now into what was written before: sections that were not measured stay, in the order of
 * `titles`; those of another title go.
 */
export function mergeDocuments(written: Document, measured: Document, titles: readonly string[]): Document {
	const sections = new Map<string, string>();
	for (const title of titles) {
		const body = measured.sections.get(title) ?? written.sections.get(title);
		if (body !== undefined) sections.set(title, body);
	}
	return { head: measured.head, sections };
}
