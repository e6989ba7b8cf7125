import assert from "node:assert/strict";
import fc from "fast-check";
import { Upload } from "../../../lib/hub/streams/upload.js";

async function all(upload: Upload): Promise<unknown[]> {
	const items: unknown[] = [];
	for await (const item of upload) items.push(item);
	return items;
}

describe("hub/streams/upload", () => {
	it("gives the items in order, and ends", async () => {
		const upload = new Upload(10);
		for (const item of [1, undefined, null, "x"]) assert.equal(upload.push(item), undefined);
		upload.complete();
		assert.deepEqual(await all(upload), [1, undefined, null, "x"]);
		assert.deepEqual(await upload.next(), { done: true, value: undefined });
	});

	it("gives an item to whoever waits for it, whatever the capacity", async () => {
		const upload = new Upload(1);
		const waiting = [upload.next(), upload.next()];
		assert.equal(upload.push(1), undefined);
		assert.equal(upload.push(2), undefined);
		assert.deepEqual(await Promise.all(waiting), [
			{ done: false, value: 1 },
			{ done: false, value: 2 },
		]);
	});

	it("asks for back-pressure from the item on that does not fit, until one is taken", async () => {
		const upload = new Upload(2);
		assert.equal(upload.push(1), undefined);
		assert.equal(upload.push(2), undefined);
		let isFree = false;
		const wait = upload.push(3)?.then(() => {
			isFree = true;
		});
		assert(wait);
		await Promise.resolve();
		assert.equal(isFree, false);
		assert.deepEqual(await upload.next(), { done: false, value: 1 });
		await wait;
	});

	it("throws the client's error behind the items that came before, once", async () => {
		const upload = new Upload(10);
		void upload.push(1);
		const boom = new Error("boom");
		upload.fail(boom);
		assert.deepEqual(await upload.next(), { done: false, value: 1 });
		await assert.rejects(upload.next(), boom);
		assert.deepEqual(await upload.next(), { done: true, value: undefined });
	});

	it("rejects the one who waits where the client fails, and ends all others", async () => {
		const upload = new Upload(10);
		const waiting = [upload.next(), upload.next()];
		upload.fail(new Error("boom"));
		const [first, second] = await Promise.allSettled(waiting);
		assert.equal(first?.status, "rejected");
		assert.deepEqual(second, { status: "fulfilled", value: { done: true, value: undefined } });
	});

	it("frees the reader and drops the rest where the method leaves its loop", async () => {
		const upload = new Upload(1);
		void upload.push(1);
		void upload.push(2);
		const wait = upload.push(3);
		for await (const item of upload) {
			assert.equal(item, 1);
			break;
		}
		await wait;
		assert.equal(upload.push(4), undefined);
		assert.deepEqual(await all(upload), []);
		assert(upload.isOver);
	});

	it("keeps the order, loses nothing and always frees the reader (property)", async () => {
		const step = fc.oneof(
			{ weight: 5, arbitrary: fc.constant("push") },
			{ weight: 5, arbitrary: fc.constant("take") },
			{ weight: 1, arbitrary: fc.constant("turn") },
		);
		const end = fc.constantFrom("complete", "fail", "leave");
		const run = fc.asyncProperty(
			fc.array(step),
			end,
			fc.integer({ min: 1, max: 4 }),
			async (steps, last, capacity) => {
				const upload = new Upload(capacity);
				const waits: Promise<void>[] = [];
				const takes: Promise<IteratorResult<unknown>>[] = [];
				let pushed = 0;
				for (const action of steps) {
					if (action === "push") {
						const wait = upload.push(pushed++);
						if (wait) waits.push(wait);
					} else if (action === "take") takes.push(upload.next());
					else await Promise.resolve();
				}
				const open = Math.max(0, takes.length - pushed);
				upload[last as "complete"]();
				const taken = await Promise.allSettled(takes);
				const values = taken.flatMap((one) =>
					one.status === "fulfilled" && !one.value.done ? [one.value.value] : [],
				);
				assert.deepEqual(
					values,
					Array.from({ length: Math.min(takes.length, pushed) }, (_, at) => at),
				);
				assert.equal(
					taken.filter(({ status }) => status === "rejected").length,
					last === "fail" && open > 0 ? 1 : 0,
				);
				await Promise.all(waits);
			},
		);
		await fc.assert(run, { numRuns: 300 });
	});
});
