import assert from "node:assert/strict";
import { mergeDocuments, readDocument, writeDocument } from "../../bench/document.js";

function documentOf(head: string, sections: Readonly<Record<string, string>>) {
	return { head, sections: new Map(Object.entries(sections)) };
}

describe("bench/document", () => {
	it("is read as it was written, with headings below in a section's text", () => {
		const document = documentOf("# Title\n\nmachine", { One: "a\n\n### below\n\nb", Two: "| c |" });
		assert.deepEqual(readDocument(writeDocument(document)), document);
		assert.deepEqual(readDocument(""), documentOf("", {}));
	});

	it("keeps what was not measured, in the order of the questions", () => {
		const written = documentOf("old", { Two: "old two", Gone: "x", One: "old one" });
		const measured = documentOf("new", { Three: "new three", One: "new one" });
		const merged = mergeDocuments(written, measured, ["One", "Two", "Three", "Four"]);
		assert.deepEqual(merged, documentOf("new", { One: "new one", Two: "old two", Three: "new three" }));
		assert.deepEqual([...merged.sections.keys()], ["One", "Two", "Three"]);
	});
});
