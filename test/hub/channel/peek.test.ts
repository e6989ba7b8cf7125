import assert from "node:assert/strict";
import type { HubExtension } from "../../../lib/hub/index.js";
import {
	Arguments,
	type HubMessage,
	type HubProtocol,
	jsonProtocol,
	MessageType,
} from "../../../lib/protocols/index.js";
import { live } from "../live.js";
import { call, Fixture, PING } from "./channel-fixture.js";

/** The json protocol, with a peek that knows calls of `peeked` and nothing else; `read` tells what was used. */
function peeking(read: string[], hasPeek = true): HubProtocol {
	const parse = (record: Buffer): HubMessage | undefined => {
		read.push("parse");
		return jsonProtocol.parse(record);
	};
	const peek = (record: Buffer): HubMessage | undefined => {
		read.push("peek");
		if (!record.includes("peeked")) return undefined;
		const args = Arguments.from("json", Buffer.from("[]"), () => []);
		return { type: MessageType.Invocation, target: "peeked", arguments: args };
	};
	const { peek: _, ...blind } = jsonProtocol;
	return hasPeek ? { ...blind, parse, peek } : { ...blind, parse };
}

describe("hub/channel peek", () => {
	it("reads what it can where somebody passes messages on, and leaves the rest to parse", () => {
		const read: string[] = [];
		const fixture = new Fixture({ wantsBytes: true, protocol: () => peeking(read) }).shake();
		fixture.connection.receive(call("peeked"), call("other"), PING);
		assert.deepEqual(fixture.targets, ["peeked", "other"]);
		assert.deepEqual(read, ["peek", "peek", "parse", "peek", "parse"]);
	});

	it("is not asked where nobody does, nor where the protocol has none", () => {
		for (const [wantsBytes, hasPeek] of [
			[false, true],
			[true, false],
		] as const) {
			const read: string[] = [];
			const fixture = new Fixture({ wantsBytes, protocol: () => peeking(read, hasPeek) }).shake();
			fixture.connection.receive(call("peeked"));
			assert.deepEqual([fixture.targets, read], [["peeked"], ["parse"]]);
		}
	});

	it("ends the connection where it finds the protocol broken", () => {
		const protocol = { ...jsonProtocol, peek: (record: Buffer) => jsonProtocol.parse(record.subarray(1)) };
		const fixture = new Fixture({ wantsBytes: true, protocol: () => protocol }).shake();
		fixture.connection.receive(call("x"));
		assert.equal(fixture.reasons[0]?.kind, "lost");
	});

	it("is wanted by an extension that comes before the connection, if after the endpoint", async () => {
		const server = await live();
		const asked: string[] = [];
		const read: string[] = [];
		server.hub.accept({
			protocol: (name) => {
				asked.push(name);
				return peeking(read);
			},
		});
		const before = await server.raw();
		const extension: HubExtension = { wantsBytes: true, install: () => (ctx) => ctx.target };
		server.hub.use(extension);
		const after = await server.raw();
		before.invoke("1", "a");
		assert.deepEqual(await before.next(), { type: 3, invocationId: "1", result: "a" });
		assert.deepEqual(read, ["parse"]);
		after.invoke("2", "b");
		assert.deepEqual(await after.next(), { type: 3, invocationId: "2", result: "b" });
		assert.deepEqual(read, ["parse", "peek", "parse"]);
		assert.equal(asked.length, 2);
		await server.close();
	});
});
