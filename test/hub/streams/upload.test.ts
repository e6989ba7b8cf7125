import assert from "node:assert/strict";
import fc from "fast-check";
import { deferred } from "../../../lib/base/index.js";
import { Upload, type UploadRelay, UploadRoom } from "../../../lib/hub/streams/upload.js";
import { type CompletionMessage, MessageType, type StreamItemMessage } from "../../../lib/protocols/index.js";
import { settle } from "../fakes.js";

const DONE: CompletionMessage = { type: MessageType.Completion, invocationId: "u" };

function itemOf(item: unknown): StreamItemMessage {
	return { type: MessageType.StreamItem, invocationId: "u", item };
}

/** A relay that keeps what it is given; the items in `slow` wait for their gate. */
function keeping(slow: ReadonlyMap<unknown, Promise<void>> = new Map()): UploadRelay & { got: unknown[] } {
	const got: unknown[] = [];
	return {
		got,
		item(message) {
			got.push(message.item);
			return slow.get(message.item);
		},
		completed: (message) => void got.push(message),
	};
}

async function all(upload: Upload): Promise<unknown[]> {
	const items: unknown[] = [];
	for await (const item of upload) items.push(item);
	return items;
}

describe("hub/streams/upload", () => {
	it("gives the items in order, and ends", async () => {
		const upload = new Upload(10);
		for (const item of [1, undefined, null, "x"]) assert.equal(upload.push(itemOf(item)), undefined);
		upload.complete(DONE);
		assert.deepEqual(await all(upload), [1, undefined, null, "x"]);
		assert.deepEqual(await upload.next(), { done: true, value: undefined });
	});

	it("gives an item to whoever waits for it, whatever the capacity", async () => {
		const upload = new Upload(1);
		const waiting = [upload.next(), upload.next()];
		assert.equal(upload.push(itemOf(1)), undefined);
		assert.equal(upload.push(itemOf(2)), undefined);
		assert.deepEqual(await Promise.all(waiting), [
			{ done: false, value: 1 },
			{ done: false, value: 2 },
		]);
	});

	it("asks for back-pressure from the item on that does not fit, until one is taken", async () => {
		const upload = new Upload(2);
		assert.equal(upload.push(itemOf(1)), undefined);
		assert.equal(upload.push(itemOf(2)), undefined);
		let isFree = false;
		const wait = upload.push(itemOf(3))?.then(() => {
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
		void upload.push(itemOf(1));
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
		void upload.push(itemOf(1));
		void upload.push(itemOf(2));
		const wait = upload.push(itemOf(3));
		for await (const item of upload) {
			assert.equal(item, 1);
			break;
		}
		await wait;
		assert.equal(upload.push(itemOf(4)), undefined);
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
						const wait = upload.push(itemOf(pushed++));
						if (wait) waits.push(wait);
					} else if (action === "take") takes.push(upload.next());
					else await Promise.resolve();
				}
				const open = Math.max(0, takes.length - pushed);
				if (last === "complete") upload.complete(DONE);
				else if (last === "fail") upload.fail(new Error("gone"));
				else upload.leave();
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

	it("throws what the client says at its end behind the items that came before", async () => {
		const upload = new Upload(10);
		void upload.push(itemOf(1));
		upload.complete({ ...DONE, error: "mine" });
		assert.deepEqual(await upload.next(), { done: false, value: 1 });
		await assert.rejects(upload.next(), { name: "HubException", message: "mine" });
	});

	it("hands a relay what came already, then what comes, and its end, as they were", () => {
		const upload = new Upload(10);
		const first = { ...itemOf(1), headers: { a: "b" } };
		void upload.push(first);
		const got: unknown[] = [];
		upload.relay({
			item: (message) => void got.push(message),
			completed: (message) => void got.push(message),
		});
		const second = itemOf(2);
		assert.equal(upload.push(second), undefined);
		const end = { ...DONE, error: "mine" };
		upload.complete(end);
		upload.complete(DONE);
		assert.deepEqual(got, [first, second, end]);
		assert.equal(got[0], first);
		assert.equal(upload.push(itemOf(3)), undefined);
		assert.equal(got.length, 3);
	});

	it("hands over a stream that was complete before anybody took it", () => {
		const upload = new Upload(10);
		void upload.push(itemOf(1));
		upload.complete(DONE);
		const relay = keeping();
		upload.relay(relay);
		assert.deepEqual(relay.got, [1, DONE]);
	});

	it("keeps the order and the reader waiting while a relay takes its time", async () => {
		const upload = new Upload(1);
		void upload.push(itemOf(1));
		const held = upload.push(itemOf(2));
		assert(held);
		const gate = deferred();
		const relay = keeping(new Map([[1, gate.promise]]));
		upload.relay(relay);
		const later = upload.push(itemOf(3));
		assert(later, "what comes now waits behind");
		upload.complete(DONE);
		await settle();
		assert.deepEqual(relay.got, [1]);
		gate.resolve();
		await Promise.all([held, later]);
		await settle();
		assert.deepEqual(relay.got, [1, 2, 3, DONE]);
	});

	it("asks for back-pressure as long as a relay does, or until the call has ended", async () => {
		const gate = deferred();
		const never = deferred();
		const upload = new Upload(10);
		upload.relay(
			keeping(
				new Map([
					[1, gate.promise],
					[2, never.promise],
				]),
			),
		);
		const first = upload.push(itemOf(1));
		assert(first);
		gate.resolve();
		await first;
		const second = upload.push(itemOf(2));
		assert(second);
		upload.leave();
		await second;
	});

	it("tells a relay nothing more once the call has ended, or the client is gone", async () => {
		for (const end of ["leave", "fail"] as const) {
			const upload = new Upload(10);
			const gate = deferred();
			const relay = keeping(new Map([[1, gate.promise]]));
			for (const item of [1, 2]) void upload.push(itemOf(item));
			upload.complete(DONE);
			upload.relay(relay);
			if (end === "fail") upload.fail(new Error("gone"));
			else upload.leave();
			gate.resolve();
			await settle();
			assert.deepEqual(relay.got, [1], end);
		}
		const lost = new Upload(10);
		void lost.push(itemOf(1));
		lost.fail(new Error("gone"));
		const relay = keeping();
		lost.relay(relay);
		assert.deepEqual(relay.got, []);
	});

	it("is empty for a method once a relay has it", async () => {
		const upload = new Upload(10);
		void upload.push(itemOf(1));
		upload.relay(keeping());
		void upload.push(itemOf(2));
		assert.deepEqual(await all(upload), []);
	});

	it("relays every item once and in order, whatever the relay's pace (property)", async () => {
		const run = fc.asyncProperty(
			fc.array(fc.boolean(), { maxLength: 20 }),
			fc.nat(20),
			fc.integer({ min: 1, max: 4 }),
			async (slow, takenAt, capacity) => {
				const upload = new Upload(capacity);
				const got: unknown[] = [];
				const relay: UploadRelay = {
					item({ item }) {
						got.push(item);
						return slow[Number(item)] ? settle() : undefined;
					},
					completed: () => void got.push("end"),
				};
				for (const at of slow.keys()) {
					if (at === takenAt) upload.relay(relay);
					const wait = upload.push(itemOf(at));
					// A reader that is held before anybody takes the stream would wait for ever.
					if (wait && at >= takenAt) await wait;
				}
				upload.complete(DONE);
				if (takenAt >= slow.length) upload.relay(relay);
				while (got.at(-1) !== "end") await settle();
				assert.deepEqual(got, [...slow.keys(), "end"]);
			},
		);
		await fc.assert(run, { numRuns: 100 });
	});

	it("asks for back-pressure when too many items wait in all uploads of a client, until enough are taken or dropped", async () => {
		const room = new UploadRoom(2);
		const uploads = Array.from({ length: 11 }, () => new Upload(2, "u", room));
		const waits = uploads.flatMap((upload) => [upload.push(itemOf(1)), upload.push(itemOf(2))]);
		assert.deepEqual(
			waits.map((wait) => wait !== undefined),
			waits.map((_, at) => at >= 20),
		);
		const gone: number[] = [];
		void waits[20]?.then(() => gone.push(1));
		await uploads[0]?.next();
		await Promise.resolve();
		assert.deepEqual(gone, []);
		uploads[1]?.leave();
		await waits[20];
		assert.equal(uploads[0]?.push(itemOf(3)), undefined);
		assert(uploads[1]?.push(itemOf(3)) === undefined, "it takes nothing any more");
	});

	it("counts what waits for a relay among the items of all uploads, until it is handed over or dropped", async () => {
		const room = new UploadRoom(1);
		const uploads = Array.from({ length: 12 }, () => new Upload(1, "u", room));
		const waits = uploads.map((upload) => upload.push(itemOf(1)));
		assert.deepEqual(
			waits.map((wait) => wait !== undefined),
			waits.map((_, at) => at >= 10),
		);
		const gate = deferred();
		uploads[0]?.relay(keeping(new Map([[1, gate.promise]])));
		const behind = uploads[0]?.push(itemOf(2));
		assert(behind, "it takes the place of what was handed over, and there are too many still");
		for (const at of [1, 2]) uploads[at]?.relay(keeping());
		await Promise.all([...waits, behind]);
		assert.equal(uploads[1]?.push(itemOf(2)), undefined);
		assert(room.take(), "there is room for no more");
		room.free(1);
		uploads[0]?.leave();
		gate.resolve();
		await settle();
		for (const upload of uploads) upload.leave();
		const crowd = Array.from({ length: 11 }, () => room.take());
		assert.deepEqual(
			crowd.map((wait) => wait !== undefined),
			crowd.map((_, at) => at === 10),
			"nothing was freed twice, and nothing is left",
		);
	});
});
