import assert from "node:assert/strict";
import { inspect } from "node:util";
import fc from "fast-check";
import { parseHandshakeRequest, writeHandshakeResponse } from "../../lib/protocols/index.js";
import { throwsCode } from "./messages.js";

function parse(text: string): unknown {
	return parseHandshakeRequest(Buffer.from(text));
}

describe("protocols/handshake", () => {
	it("reads protocol and version, whatever else is there", () => {
		assert.deepEqual(parse('{"protocol":"json","version":1}'), { protocol: "json", version: 1 });
		assert.deepEqual(parse('{"version":2,"protocol":"JSON","more":[]}'), { protocol: "JSON", version: 2 });
	});

	const refused = [
		"",
		"nope",
		"null",
		"[]",
		'"json"',
		"{}",
		'{"protocol":"json"}',
		'{"version":1}',
		'{"protocol":1,"version":1}',
		'{"protocol":"json","version":"1"}',
		'{"protocol":"json","version":1.5}',
		'{"type":1,"target":"A","arguments":[]}',
		'{"__proto__":{"protocol":"json","version":1}}',
	];
	for (const text of refused) {
		it(`refuses ${text === "" ? "an empty record" : text}`, () => {
			assert.throws(() => parse(text), throwsCode("ERR_HANDSHAKE"));
		});
	}

	it("throws nothing but ERR_HANDSHAKE for any bytes", () => {
		const anything = fc.oneof(
			fc.uint8Array(),
			fc.json().map((text) => Buffer.from(text)),
		);
		fc.assert(
			fc.property(anything, (bytes) => {
				try {
					parseHandshakeRequest(Buffer.from(bytes));
				} catch (thrown) {
					throwsCode("ERR_HANDSHAKE")(thrown);
				}
			}),
		);
		assert.throws(() => parse("[".repeat(32_768)), throwsCode("ERR_HANDSHAKE"));
	});

	it("quotes nothing of a request that it refuses", () => {
		for (const text of ["hunter2", '{"protocol": hunter2}', '{"version":"hunter2"}'])
			assert.throws(
				() => parse(text),
				(error: Error) => !inspect(error, { depth: 9 }).includes("hunter"),
				text,
			);
	});

	it("writes an answer with or without an error", () => {
		assert.equal(writeHandshakeResponse().toString(), "{}\u001e");
		assert.equal(
			writeHandshakeResponse("The protocol 'nope' is not supported.").toString(),
			`{"error":"The protocol 'nope' is not supported."}\u001e`,
		);
	});
});
