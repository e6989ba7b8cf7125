import assert from "node:assert/strict";
import type { ForwardedMessage } from "../../../lib/forwarding/dotnetify-upstream/forwarded-message.js";
import { Retained } from "../../../lib/forwarding/dotnetify-upstream/retained.js";
import type { ForwardedKind } from "../../../lib/forwarding/lost-message.js";
import { clientOf } from "../support/fake-pool.js";

const KEPT_BYTES = 16 * 1024;
const client = clientOf("a");

/** A message with its data as JSON text, as dotNetify's wire carries it. */
function messageOf(kind: ForwardedKind, vmId: string, data?: unknown): ForwardedMessage {
	const text = data === undefined ? null : JSON.stringify(data);
	const bytes = vmId.length + (text ?? "null").length;
	return {
		...{ client, kind, method: kind, args: [vmId, text], vmId, bytes },
		...{ queuedAt: 0, completer: undefined, isCopy: false },
	};
}

describe("forwarding/dotnetify-upstream/retained", () => {
	let budget: { left: number };
	let retained: Retained;
	beforeEach(() => {
		budget = { left: 100_000 };
		retained = new Retained(budget);
	});

	const confirm = (kind: ForwardedKind, vmId: string, data?: unknown): void =>
		retained.confirmed(messageOf(kind, vmId, data));
	/** What is asked again: id and data, whose size is what it is said to be. */
	const again = (): unknown[] =>
		retained.requests.map(({ args, bytes }) => {
			const [vmId, text] = args as [string, string | null];
			assert.equal(bytes, vmId.length + (text ?? "null").length);
			return [vmId, text === null ? null : JSON.parse(text)];
		});

	it("keeps requests as they were made, in their order", () => {
		confirm("request", "Hello", { $vmArg: { Name: "Ada" }, $headers: { token: "old" } });
		confirm("request", "Hello.Child");
		assert.deepEqual(again(), [
			["Hello", { $vmArg: { Name: "Ada" }, $headers: { token: "old" } }],
			["Hello.Child", { $headers: { token: "old" } }],
		]);
	});

	it("makes all of them with the headers that an update or a later request brought last", () => {
		confirm("request", "Hello", { $vmArg: { Name: "Ada" }, $headers: { token: "1" } });
		confirm("request", "Room");
		confirm("update", "Room", { Text: "b", $headers: { token: "2" } });
		confirm("update", "Room", { Text: "c" });
		const headed = ($headers: unknown): unknown[] => [
			["Hello", { $vmArg: { Name: "Ada" }, $headers }],
			["Room", { $headers }],
		];
		assert.deepEqual(again(), headed({ token: "2" }));
		confirm("request", "Room", { $headers: { token: "3" } });
		assert.deepEqual(again(), headed({ token: "3" }));
		confirm("update", "Room", { $headers: {} });
		assert.deepEqual(again(), headed({}), "taken away");
	});

	it("takes headers only from a message that was processed, and that is no replay", () => {
		confirm("request", "Hello", { $headers: { token: "1" } });
		retained.forwarded(messageOf("update", "Hello", { $headers: { token: "2" } }));
		retained.confirmed({ ...messageOf("request", "Hello", { $headers: { token: "3" } }), isReplay: true });
		assert.deepEqual(again(), [["Hello", { $headers: { token: "1" } }]]);
	});

	it("is not misled by what looks like headers", () => {
		confirm("request", "Hello", { Name: "Ada" });
		for (const data of [
			{ Text: '"$headers":{}' },
			{ $headers: "x" },
			{ $headers: [1] },
			{ a: { $headers: {} } },
		])
			confirm("update", "Hello", data);
		confirm("method", "Hello", { $headers: { token: "2" } });
		const torn = { ...messageOf("update", "Hello"), args: ["Hello", '{"$headers":{}'] };
		retained.confirmed(torn);
		assert.deepEqual(again(), [["Hello", { Name: "Ada" }]]);
	});

	it("leaves a request alone whose data is none", () => {
		confirm("request", "Odd", [1]);
		confirm("update", "Odd", { $headers: { token: "1" } });
		assert.deepEqual(again(), [["Odd", [1]]]);
	});

	it("counts headers once, as what is kept, and gives their bytes back with the client", () => {
		const requests = [messageOf("request", "Hello"), messageOf("request", "Room")];
		for (const request of requests) retained.confirmed(request);
		const [before, spent] = [budget.left, requests.reduce((sum, { bytes }) => sum + bytes, 0)];
		assert.equal(before, 100_000 - spent);
		for (const token of ["1", "22"]) confirm("update", "Hello", { $headers: { token } });
		assert.equal(budget.left, before - '{"token":"22"}'.length);
		retained.forwarded(messageOf("disconnect", "Hello"));
		assert.deepEqual([again(), budget.left], [[], 100_000]);
	});

	it("keeps the former headers where the new ones are too long, or too much for all", () => {
		confirm("request", "Hello", { $headers: { token: "1" } });
		const former = again();
		confirm("update", "Hello", { $headers: { token: "x".repeat(KEPT_BYTES) } });
		assert.deepEqual(again(), former);
		budget.left = 5;
		confirm("update", "Hello", { $headers: { token: "1".repeat(7) } });
		assert.deepEqual([again(), budget.left], [former, 5]);
		confirm("update", "Hello", { $headers: { token: "1".repeat(6) } });
		assert.deepEqual([again(), budget.left], [[["Hello", { $headers: { token: "111111" } }]], 0]);
	});
});
