import assert from "node:assert/strict";
import {
	answerProof,
	checkAnswerProof,
	checkHello,
	newLinkId,
} from "../../../lib/forwarding/link/link-greeting.js";
import type { Hello } from "../../../lib/forwarding/wire/index.js";

const SECRET = "a secret of the tests, 32 letters";
const OTHER = "another secret of the tests, long";

function helloOf(change: Partial<Hello>): Hello {
	return {
		...{ versions: [1, 1], role: "app", instance: newLinkId(), session: newLinkId() },
		...{ link: 0, incarnation: 1, delivered: 0, window: 0, features: [] },
		...change,
	};
}

describe("forwarding/link/link-greeting", () => {
	it("makes ids of 16 bytes, each another", () => {
		const ids = Array.from({ length: 100 }, () => newLinkId().toString("hex"));
		assert.ok(ids.every((id) => /^[0-9a-f]{32}$/.test(id)));
		assert.equal(new Set(ids).size, 100);
	});

	it("takes the other role and a version that both speak, and refuses the rest", () => {
		checkHello(helloOf({}), "app");
		checkHello(helloOf({ role: "proxy", versions: [1, 9] }), "proxy");
		assert.throws(() => checkHello(helloOf({ role: "proxy" }), "app"), { code: "ERR_LINK_PROTOCOL" });
		assert.throws(() => checkHello(helloOf({ versions: [2, 3] }), "app"), {
			code: "ERR_LINK_VERSION",
			message: /versions 2 to 3/,
		});
	});

	it("believes an app server that answers the proxy's own proof with the secret, and no other", () => {
		const features = ["reopen", answerProof(SECRET, "the proof")];
		checkAnswerProof(helloOf({ features }), SECRET, "the proof");
		for (const [found, secret, proof] of [
			[features, OTHER, "the proof"],
			[features, SECRET, "another proof"],
			[["reopen"], SECRET, "the proof"],
			[["proof:"], SECRET, "the proof"],
			[[answerProof(SECRET, "the proof").slice(0, -1)], SECRET, "the proof"],
		] as const)
			assert.throws(() => checkAnswerProof(helloOf({ features: found }), secret, proof), {
				code: "ERR_LINK_REFUSED",
			});
	});

	it("refuses a proof of letters beyond ASCII as any other", () => {
		const expected = answerProof(SECRET, "p");
		const features = [`proof:${"é".repeat(expected.length - "proof:".length)}`];
		assert.throws(() => checkAnswerProof(helloOf({ features }), SECRET, "p"), { code: "ERR_LINK_REFUSED" });
	});
});
