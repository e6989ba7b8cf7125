import assert from "node:assert/strict";
import fc from "fast-check";
import { framedRecords, jsonProtocol, messagePackProtocol } from "../../../lib/protocols/index.js";
import { invocation } from "../../hub/fakes.js";

describe("protocols/framing/framed-records", () => {
	it("cuts messages that stand one after another, and keeps every byte of them", () => {
		const calls = fc.array(fc.tuple(fc.string(), fc.string({ maxLength: 300 })), { maxLength: 8 });
		fc.assert(
			fc.property(calls, fc.constantFrom(jsonProtocol, messagePackProtocol), (all, protocol) => {
				const each = all.map(([target, text]) => protocol.write(invocation(target, [text])));
				assert.deepEqual([...framedRecords(protocol, Buffer.concat(each))], each);
			}),
		);
	});

	it("leaves half a message at the end", () => {
		const whole = jsonProtocol.write(invocation("a"));
		assert.deepEqual([...framedRecords(jsonProtocol, Buffer.concat([whole, whole.subarray(0, 5)]))], [whole]);
	});
});
