import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { DOORS, type Door } from "./doors/doors.js";
import { Random } from "./frames/random.js";
import { FuzzFailure, fuzz } from "./fuzz.js";
import { CRASH_TARGET } from "./report.js";

const SEED = 4;
const FRAMES = 200;

function doorOf(name: string): Door {
	const door = DOORS.find((one) => one.name === name);
	assert.ok(door);
	return door;
}

describe("fuzz/fuzz", function () {
	this.timeout(60_000);

	it("harms nobody through any door, and leaves nothing behind", async () => {
		const results = await fuzz({ seed: SEED, frames: FRAMES, from: 0, doors: DOORS });
		assert.deepEqual(
			results.map(({ door }) => door),
			DOORS.map(({ name }) => name),
		);
		for (const { door, frames, witnessed } of results) {
			assert.equal(frames, FRAMES, door);
			assert.ok(witnessed > 0, door);
		}
	});

	it("makes the same frames of the same seed, and others of another", () => {
		const frames = (seed: number): string[] =>
			DOORS.flatMap((door) =>
				Array.from({ length: 50 }, (_, index) => door.frame(new Random(seed, index)).toString("hex")),
			);
		assert.deepEqual(frames(1), frames(1));
		assert.notDeepEqual(frames(1), frames(2));
	});

	it("tells what broke, and writes down the frames that were under way", async () => {
		const call = { type: 1, target: CRASH_TARGET, arguments: [] };
		const door = { ...doorOf("json"), frame: () => Buffer.from(`${JSON.stringify(call)}\u001e`) };
		await assert.rejects(fuzz({ seed: SEED, frames: 10, from: 0, doors: [door] }), (error: unknown) => {
			assert.ok(error instanceof FuzzFailure);
			assert.match(error.message, /^door json: uncaught exception: .*on purpose/);
			assert.match(error.message, /npm run fuzz -- --seed 4 --door json --from \d+ --frames \d+$/);
			const [, file = ""] = /The frames are in (\S+)\. Again/.exec(error.message) ?? [];
			assert.ok(readFileSync(file, "utf8").includes(Buffer.from(CRASH_TARGET).toString("hex")));
			return true;
		});
	});
});
