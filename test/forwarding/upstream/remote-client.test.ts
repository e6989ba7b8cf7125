import assert from "node:assert/strict";
import fc from "fast-check";
import type { AppSession } from "../../../lib/forwarding/upstream/app-session.js";
import type { ForwardedClient } from "../../../lib/forwarding/upstream/forwarded-client.js";
import { type RemoteCall, RemoteClient } from "../../../lib/forwarding/upstream/remote-client.js";

const completer = { complete() {}, fail() {}, relay() {}, relayItem() {} };
const remoteClient = (): RemoteClient => new RemoteClient({} as ForwardedClient, {} as AppSession, 1);
const callTo = (target: string): RemoteCall => ({ completer, target, vmId: undefined });

type Step = readonly ["expect" | "take" | "retract", id: string];
const step: fc.Arbitrary<Step> = fc.tuple(
	fc.constantFrom("expect", "take", "retract"),
	fc.constantFrom("a", "b", "c"),
);

describe("forwarding/upstream/remote-client", () => {
	it("counts each answer for the first call of its id, however many wait", () => {
		fc.assert(
			fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
				const remote = remoteClient();
				const model = new Map<string, RemoteCall[]>();
				for (const [at, [what, id]] of steps.entries()) {
					const waiting = model.get(id) ?? [];
					model.set(id, waiting);
					if (what === "take") assert.equal(remote.take(id), waiting.shift());
					else if (what === "retract") {
						remote.retract(id);
						waiting.pop();
					} else {
						const call = callTo(String(at));
						remote.expect(id, call);
						waiting.push(call);
					}
					for (const [each, [first]] of model) assert.equal(remote.callOf(each), first);
				}
				const left = [...model.values()].flat().map(({ target }) => Number(target));
				const taken = remote.takeAll().map(({ target }) => Number(target));
				assert.deepEqual(
					taken.sort((a, b) => a - b),
					left.sort((a, b) => a - b),
				);
				assert.deepEqual(remote.takeAll(), []);
			}),
		);
	});

	it("settles its own calls when all are taken out, and gives those of the client", () => {
		const remote = remoteClient();
		let settled = 0;
		remote.expect("1", callTo("echo"));
		remote.ask(() => settled++);
		assert.deepEqual([remote.takeAll().map(({ target }) => target), settled], [["echo"], 1]);
	});
});
