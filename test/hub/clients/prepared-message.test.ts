import assert from "node:assert/strict";
import { invocationOf, PreparedMessage } from "../../../lib/hub/index.js";
import { jsonProtocol, messagePackProtocol } from "../../../lib/protocols/index.js";

describe("hub/clients/prepared-message", () => {
	it("is written once per protocol, however many clients get it", () => {
		let reads = 0;
		const argument = {
			get field() {
				reads++;
				return 1;
			},
		};
		const message = new PreparedMessage(invocationOf("t", [argument]));
		const json = message.bytesFor(jsonProtocol);
		const afterFirst = reads;
		assert.equal(message.bytesFor(jsonProtocol), json);
		assert.equal(reads, afterFirst);
		assert.notDeepEqual(message.bytesFor(messagePackProtocol), json);
		assert.deepEqual(message.delivery, { kind: "event" });
	});

	it("is not tried again where it cannot be written, however many clients are to get it", () => {
		let reads = 0;
		const argument = {
			get field(): never {
				reads++;
				throw new Error("no");
			},
		};
		const message = new PreparedMessage(invocationOf("t", [argument]));
		for (let client = 0; client < 3; client++)
			assert.throws(() => message.bytesFor(jsonProtocol), { code: "ERR_SERIALIZATION" });
		assert.equal(reads, 1);
	});

	it("throws where an argument cannot be written", () => {
		const cyclic: unknown[] = [];
		cyclic.push(cyclic);
		const message = new PreparedMessage(invocationOf("t", cyclic));
		for (const protocol of [jsonProtocol, messagePackProtocol]) {
			assert.throws(() => message.bytesFor(protocol), { code: "ERR_SERIALIZATION" });
		}
	});
});
