import assert from "node:assert/strict";
import { commonVersion, type Hello, readHello, writeHello } from "../../../lib/forwarding/wire/hello.js";
import { writeMessagePack } from "../../../lib/protocols/index.js";
import { throwsCode } from "../../protocols/messages.js";

const HELLO: Hello = {
	versions: [1, 2],
	role: "proxy",
	instance: Buffer.alloc(16, 1),
	session: Buffer.alloc(16, 2),
	link: 0,
	incarnation: 1,
	delivered: 0,
	window: 8_388_608,
	features: ["reopen"],
};
const { versions, ...rest } = HELLO;
const FIELDS: Readonly<Record<string, unknown>> = { v: versions, ...rest };

describe("forwarding/wire/hello", () => {
	it("is a map of named fields, and those that are not known are passed over", () => {
		assert.deepEqual(readHello(writeHello(HELLO)), HELLO);
		assert.deepEqual(readHello(writeMessagePack({ ...FIELDS, later: [1, { 2: 3 }] })), HELLO);
	});

	for (const name of Object.keys(FIELDS)) {
		it(`refuses a HELLO without ${name}, and with null in its place`, () => {
			const { [name]: _, ...others } = FIELDS;
			for (const fields of [others, { ...others, [name]: null }])
				assert.throws(() => readHello(writeMessagePack(fields)), throwsCode("ERR_LINK_PROTOCOL"));
		});
	}

	for (const [title, wrong] of Object.entries({
		"one version": { v: [1] },
		"versions the wrong way round": { v: [2, 1] },
		"version 0": { v: [0, 1] },
		"another role": { role: "spy" },
		"an instance of 15 bytes": { instance: Buffer.alloc(15) },
		"a session that is text": { session: "0123456789abcdef" },
		"a link beyond a session's": { link: 1_024 },
		"a negative link": { link: -1 },
		"incarnation 0": { incarnation: 0 },
		"a delivered that is no whole number": { delivered: 1.5 },
		"a window beyond 2^53": { window: 2n ** 60n },
		"too many features": { features: Array.from({ length: 65 }, () => "x") },
		"a feature that is a number": { features: [1] },
		"a feature of 257 bytes": { features: ["x".repeat(257)] },
	})) {
		it(`refuses ${title}`, () => {
			const body = writeMessagePack({ ...FIELDS, ...wrong });
			assert.throws(() => readHello(body), throwsCode("ERR_LINK_PROTOCOL"));
		});
	}

	it("speaks the highest version that both ends have", () => {
		assert.equal(commonVersion([1, 2], [2, 5]), 2);
		assert.equal(commonVersion([1, 3], [1, 2]), 2);
		assert.equal(commonVersion([1, 1], [2, 2]), undefined);
		assert.equal(commonVersion([4, 5], [2, 3]), undefined);
	});
});
