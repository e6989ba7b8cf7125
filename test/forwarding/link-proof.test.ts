import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { ManualClock } from "../../lib/base/index.js";
import { MAX_REMEMBERED_PROOFS, ProofChecker, writeProof } from "../../lib/forwarding/link-proof.js";

const SECRET = "0123456789abcdef";

describe("forwarding/link-proof", () => {
	it("is what PROTOCOL.md shows", () => {
		const [, proof = "", issued = ""] =
			/^(v1\.([0-9a-z]+)\.A{22}\.\S+)$/m.exec(readFileSync("PROTOCOL.md", "utf8")) ?? [];
		const clock = new ManualClock(Number.parseInt(issued, 36));
		assert.equal(new ProofChecker([SECRET], clock).check(proof), "valid");
		assert.equal(new ProofChecker(["another secret, quite"], clock).check(proof), "wrong secret");
	});

	it("forgets the oldest proofs when it has seen too many, and takes none of the newest twice", () => {
		const clock = new ManualClock(1_000_000_000);
		const checker = new ProofChecker([SECRET], clock);
		const proofs = Array.from({ length: MAX_REMEMBERED_PROOFS + 1 }, () => writeProof(SECRET, clock.now()));
		for (const proof of proofs) assert.equal(checker.check(proof), "valid");
		assert.equal(checker.check(proofs.at(-1) ?? ""), "used before");
	}).timeout(20_000);
});
