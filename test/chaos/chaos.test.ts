import assert from "node:assert/strict";
import { tableOf } from "./books/table.js";
import { failLinks, failProcesses } from "./chaos.js";

const SETTINGS = {
	seed: 5,
	messages: 10_000,
	faults: 12,
	deaths: 4,
	mostLifeMs: 800,
	clients: 24,
	proxies: 2,
};

describe("chaos/chaos", function () {
	this.timeout(60_000);

	it("accounts for every message while links fail", async () => {
		const { messages, found, complaints } = await failLinks(SETTINGS);
		assert.deepEqual(complaints, [], tableOf(found));
		assert.ok(messages >= SETTINGS.messages);
		assert.ok(found.up.delivered > 0 && found.calls.answered > 0);
	});

	it("accounts for every message while processes die", async () => {
		const { found, done, complaints } = await failProcesses(SETTINGS);
		assert.deepEqual(complaints, [], tableOf(found));
		assert.equal(done.get("app server killed"), 1);
		assert.ok(found.up.delivered > 0 && found.calls.answered > 0);
	});
});
