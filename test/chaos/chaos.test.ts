import assert from "node:assert/strict";
import { tableOf } from "./books/table.js";
import { chaos } from "./chaos.js";

const SETTINGS = { seed: 5, messages: 10_000, faults: 12, deaths: 4, clients: 24, proxies: 2 };

describe("chaos/chaos", function () {
	this.timeout(60_000);

	it("accounts for every message while links fail, and while processes die", async () => {
		const results = await chaos(SETTINGS, () => undefined);
		assert.deepEqual(
			results.map(({ name }) => name),
			["links fail", "processes die"],
		);
		for (const { name, found, complaints } of results) {
			assert.deepEqual(complaints, [], `${name}\n${tableOf(found)}`);
			assert.ok(found.up.delivered > 0 && found.calls.answered > 0);
		}
		assert.ok((results[0]?.messages ?? 0) >= SETTINGS.messages);
	});
});
