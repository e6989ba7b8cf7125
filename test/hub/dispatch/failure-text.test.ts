import assert from "node:assert/strict";
import { HubException, TrunklineError, unknownMethodText } from "../../../lib/errors/index.js";
import { closeText, failureText, notStreamingText } from "../../../lib/hub/dispatch/failure-text.js";

const PLAIN = "An unexpected error occurred invoking 'M' on the server.";

describe("hub/dispatch/failure-text", () => {
	it("tells nothing of an unexpected error", () => {
		for (const thrown of [
			new Error("secret"),
			"secret",
			{ secret: 1 },
			null,
			undefined,
			new TypeError("secret"),
		]) {
			assert.equal(failureText("M", thrown, false), PLAIN);
			assert.equal(closeText(thrown, false), "Connection closed with an error.");
		}
	});

	it("tells a HubException's message", () => {
		class Mine extends HubException {}
		assert.equal(failureText("M", new HubException("boo"), false), `${PLAIN} HubException: boo`);
		assert.equal(failureText("M", new Mine("boo"), false), `${PLAIN} HubException: boo`);
		assert.equal(
			closeText(new HubException("refused by hub"), false),
			"Connection closed with an error. HubException: refused by hub",
		);
	});

	it("tells everything with detailedErrors", () => {
		assert.equal(failureText("M", new TypeError("why"), true), `${PLAIN} TypeError: why`);
		assert.equal(failureText("M", "why", true), `${PLAIN} why`);
		assert.equal(failureText("M", undefined, true), PLAIN);
	});

	it("tells of bad arguments", () => {
		const wrong = new TrunklineError(
			"ERR_ARGUMENTS",
			"Invocation provides 1 argument(s) but target expects 2.",
		);
		assert.equal(failureText("Add", wrong, false), "Failed to invoke 'Add' due to an error on the server.");
		assert.equal(
			failureText("Add", wrong, true),
			"Failed to invoke 'Add' due to an error on the server. InvalidDataException: Invocation provides 1 argument(s) but target expects 2.",
		);
	});

	it("survives what cannot be made a text", () => {
		const hostile = new HubException("x");
		Object.defineProperty(hostile, "message", {
			get() {
				throw new Error("gotcha");
			},
		});
		assert.equal(failureText("M", hostile, true), PLAIN);
		assert.equal(closeText(hostile, true), "Connection closed with an error.");
		assert.equal(
			failureText("M", Object.create(null), true),
			`${PLAIN} something that has no text was thrown`,
		);
	});

	it("has the texts for targets that are none", () => {
		assert.equal(
			unknownMethodText("Nope"),
			"Failed to invoke 'Nope' due to an error on the server. HubException: Method does not exist.",
		);
		assert.equal(
			notStreamingText("M"),
			"The client attempted to invoke the non-streaming 'M' method with a streaming invocation.",
		);
	});
});
