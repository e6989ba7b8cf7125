import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { hubContract } from "./contract/contract.js";
import { DEVIATIONS, FORWARDED_DEVIATIONS } from "./deviations.js";
import { TrunklineSubject } from "./trunkline.js";

hubContract(new TrunklineSubject());

describe("reference/deviations", () => {
	it("are all looked at by the contract", () => {
		const sources = ["contract", "wire"].flatMap((room) => {
			const folder = `test/reference/${room}`;
			return readdirSync(folder).map((file) => readFileSync(`${folder}/${file}`, "utf8"));
		});
		const unseen = Object.keys({ ...DEVIATIONS, ...FORWARDED_DEVIATIONS }).filter(
			(name) => !sources.some((source) => source.includes(`deviates("${name}")`)),
		);
		assert.deepEqual(unseen, []);
	});
});
