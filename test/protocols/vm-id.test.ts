import assert from "node:assert/strict";
import fc from "fast-check";
import { isWithin, parseVmId, vmIdRoot, vmIdRootType } from "../../lib/protocols/index.js";

describe("protocols/vm-id", () => {
	it("takes ids apart, outermost master first", () => {
		assert.deepEqual(parseVmId("HelloWorld").path, [{ type: "HelloWorld", instance: undefined }]);
		assert.deepEqual(parseVmId("chatroom$7").root, { type: "chatroom", instance: "7" });
		assert.deepEqual(parseVmId("A$1.B.C$x").path, [
			{ type: "A", instance: "1" },
			{ type: "B", instance: undefined },
			{ type: "C", instance: "x" },
		]);
	});

	it("ends a type at the first $ and a segment at every dot", () => {
		assert.deepEqual(parseVmId("A$1$2").root, { type: "A", instance: "1$2" });
		assert.deepEqual(parseVmId("A$1.5").path, [
			{ type: "A", instance: "1" },
			{ type: "5", instance: undefined },
		]);
		assert.deepEqual(parseVmId("A$").root, { type: "A", instance: "" });
		assert.deepEqual(parseVmId("").root, { type: "", instance: undefined });
	});

	it("finds the root with and without its instance", () => {
		assert.deepEqual(["chatroom$7.List", "chatroom$7", "chatroom"].map(vmIdRoot), [
			"chatroom$7",
			"chatroom$7",
			"chatroom",
		]);
		assert.deepEqual(["chatroom$7.List", "chatroom$7", "chatroom"].map(vmIdRootType), [
			"chatroom",
			"chatroom",
			"chatroom",
		]);
	});

	it("tells what is within an id", () => {
		assert.ok(isWithin("A", "A"));
		assert.ok(isWithin("A.B.C", "A"));
		assert.ok(isWithin("A$1.B", "A$1"));
		assert.ok(!isWithin("A$1", "A"));
		assert.ok(!isWithin("AB", "A"));
		assert.ok(!isWithin("A", "A.B"));
	});

	it("gives the id again when its parts are joined", () => {
		fc.assert(
			fc.property(fc.string({ unit: fc.constantFrom("a", "B", "$", ".") }), (vmId) => {
				const { path, root } = parseVmId(vmId);
				const join = (segment: typeof root) =>
					segment.instance === undefined ? segment.type : `${segment.type}$${segment.instance}`;
				assert.equal(path.map(join).join("."), vmId);
				assert.equal(join(root), vmIdRoot(vmId));
				assert.equal(root.type, vmIdRootType(vmId));
				assert.ok(isWithin(vmId, vmIdRoot(vmId)));
			}),
		);
	});
});
