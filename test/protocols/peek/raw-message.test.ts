import assert from "node:assert/strict";
import fc from "fast-check";
import {
	type ArgumentEncoding,
	Arguments,
	type CallMessage,
	decodeRawMessage,
	encodeRawMessage,
	type RawMessage,
} from "../../../lib/protocols/index.js";
import { plainMessage, throwsCode, toMessage, toPlain } from "../messages.js";

const callMessage = plainMessage.filter(({ type }) => type <= 5);

function present(message: object | undefined): object {
	return Object.fromEntries(Object.entries(message ?? {}).filter(([, value]) => value !== undefined));
}

describe("protocols/peek/raw-message", () => {
	for (const encoding of ["json", "messagepack"] as const) {
		it(`gives back every message about a call, its values written as ${encoding}`, () => {
			fc.assert(
				fc.property(callMessage, (message) => {
					const raw = encodeRawMessage(toMessage(message) as CallMessage, encoding);
					assert.equal(raw.encoding, encoding);
					assert.deepEqual(present(toPlain(decodeRawMessage(raw))), message);
				}),
				{ numRuns: 300 },
			);
		});
	}

	it("takes arguments that are bytes as they stand, whatever their encoding", () => {
		const bytes = Buffer.from("[ 1.0 ]");
		const message: CallMessage = {
			...{ type: 1, target: "x" },
			arguments: Arguments.from("json", bytes, () => assert.fail("decoded")),
		};
		const raw = encodeRawMessage(message, "messagepack");
		assert.ok(raw.type === 1);
		assert.equal(raw.arguments, bytes);
		assert.equal(raw.encoding, "json");
	});

	const call = {
		type: 1,
		invocationId: undefined,
		target: "x",
		streamIds: undefined,
		headers: undefined,
	} as const;

	for (const [encoding, hex] of [
		["json", "7b7d"],
		["json", ""],
		["json", "5bff5d"],
		["messagepack", "80"],
		["messagepack", "91"],
		["messagepack", "9000"],
	] as [ArgumentEncoding, string][]) {
		it(`refuses ${encoding} arguments of ${hex || "no bytes"} when they are asked for`, () => {
			const message = decodeRawMessage({ ...call, encoding, arguments: Buffer.from(hex, "hex") });
			assert.ok("arguments" in message);
			assert.throws(() => message.arguments.values, throwsCode("ERR_PROTOCOL"));
		});
	}

	it("refuses an item and a result that cannot be read", () => {
		const head = { invocationId: "1", headers: undefined, encoding: "json" } as const;
		const raws: readonly RawMessage[] = [
			{ ...head, type: 2, item: Buffer.from("tru") },
			{ ...head, type: 3, error: undefined, result: Buffer.from("[}") },
		];
		for (const raw of raws) assert.throws(() => decodeRawMessage(raw), throwsCode("ERR_PROTOCOL"));
	});
});
