import assert from "node:assert/strict";
import { type CpuProfile, type Frame, sharesOf } from "../../../bench/relay/profile-groups.js";

const WRITE = frame("writeFrame", "file:///x/dist/lib/transports/carriers/web-socket.js");
const NODE_WRITE = frame("writeOrBuffer", "node:internal/streams/writable");
const READ = frame("onStreamRead", "node:internal/stream_base_commons");
const RECEIVER = frame("getData", "file:///x/node_modules/ws/lib/receiver.js");

function frame(functionName: string, url: string): Frame {
	return { functionName, url, lineNumber: 4 };
}

/** A chain of calls, and how long the last of them took itself, in microseconds. */
function profileOf(...chains: readonly (readonly [number, ...Frame[]])[]): CpuProfile {
	const nodes: { id: number; callFrame: Frame; children: number[] }[] = [
		{ id: 1, callFrame: frame("(root)", ""), children: [] },
	];
	const ids = [1];
	const times: number[] = [];
	for (const [time, ...frames] of chains) {
		let [parent] = nodes;
		for (const callFrame of frames) {
			const node = { id: nodes.length + 1, callFrame, children: [] };
			parent?.children.push(node.id);
			nodes.push(node);
			parent = node;
		}
		ids.push(parent?.id ?? 1);
		times.push(time);
	}
	// A sample holds until the next one: the root's takes none, and an end closes the last one.
	return { nodes, samples: [...ids, 1], timeDeltas: [0, 0, ...times] };
}

describe("bench/relay/profile-groups", () => {
	it("counts what has no group to its nearest caller that has one", () => {
		const { groups } = sharesOf(profileOf([300, READ, WRITE, NODE_WRITE], [100, READ, NODE_WRITE]));
		assert.deepEqual(groups, [
			{ name: "clients: frames and writes", share: 0.75 },
			{ name: "socket read", share: 0.25 },
		]);
	});

	it("leaves out the time in which there was nothing to do", () => {
		const { groups } = sharesOf(
			profileOf([900, frame("(idle)", "")], [50, frame("(garbage collector)", "")], [50, READ, RECEIVER]),
		);
		assert.deepEqual(groups, [
			{ name: "garbage collection", share: 0.5 },
			{ name: "ws receive, clients and links", share: 0.5 },
		]);
	});

	it("names functions by file and line, and adds up those that stand in several places", () => {
		const { functions } = sharesOf(profileOf([10, READ, RECEIVER], [20, WRITE, RECEIVER], [10, WRITE]));
		assert.deepEqual(functions, [
			{ name: "getData ws/lib/receiver.js:5", share: 0.75 },
			{ name: "writeFrame lib/transports/carriers/web-socket.js:5", share: 0.25 },
		]);
	});
});
