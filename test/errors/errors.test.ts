import assert from "node:assert/strict";
import { HubException, messageOf, TrunklineError } from "../../lib/errors/index.js";

describe("errors", () => {
	it("carry a code, a message and the cause", () => {
		const cause = new Error("inner");
		const error = new TrunklineError("ERR_OPTION", "outer", { cause });
		assert.deepEqual(
			[error.name, error.code, error.message, error.cause],
			["TrunklineError", "ERR_OPTION", "outer", cause],
		);
		assert.ok(!("cause" in new TrunklineError("ERR_OPTION", "alone")));
	});

	it("name a HubException as SignalR does", () => {
		assert.equal(`${new HubException("boo")}`, "HubException: boo");
	});

	it("have a message for anything that can be thrown", () => {
		assert.deepEqual(
			[messageOf(new Error("a")), messageOf("b"), messageOf(undefined), messageOf(3)],
			["a", "b", "undefined", "3"],
		);
		assert.match(messageOf(Object.create(null)), /no text/);
		assert.match(messageOf({ toString: () => assert.fail() }), /no text/);
	});
});
