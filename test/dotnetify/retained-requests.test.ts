import assert from "node:assert/strict";
import {
	createViewModelHub,
	MulticastViewModel,
	ViewModel,
	type ViewModelSources,
} from "../../lib/dotnetify/index.js";
import type { ClientWire, RetainedCall } from "../../lib/hub/index.js";
import { Arguments, MessageType } from "../../lib/protocols/index.js";
import { until } from "../hub/live.js";
import { RecordingClient } from "./recording-client.js";

/** A call that was retained (with its arguments), or a key that was forgotten. */
type Told = readonly [key: string, target: string, ...args: readonly unknown[]] | string;

interface Held {
	readonly client: RecordingClient;
	/** What the wire was told since the last look. */
	told(): Told[];
}

/** A client that a proxy holds. */
function held(viewModels: ViewModelSources): Held {
	const hub = createViewModelHub({ viewModels });
	const told: Told[] = [];
	const retaining = {
		retain: (key: string, { target, arguments: { values } }: RetainedCall) =>
			void told.push([key, target, ...values]),
		forget: (key: string) => void told.push(key),
	};
	const open = (identity: Parameters<typeof hub.open>[0], wire: ClientWire) =>
		hub.open(identity, { ...wire, ...retaining });
	return {
		client: new RecordingClient({ open }),
		told: () => told.splice(0),
	};
}

class Hello extends ViewModel {
	Name = "";
	get Who(): unknown {
		return this.headers["token"];
	}
}

class Child extends ViewModel {}

class Signed extends ViewModel {
	static authorize = ({ headers }: { headers: Readonly<Record<string, unknown>> }): boolean =>
		headers["token"] === "new" || headers["token"] === "old";
	Text = "";
}

class Room extends MulticastViewModel {
	Text = "";
}

const VIEW_MODELS: ViewModelSources = { Hello, Child, Signed, Room };

describe("dotnetify retained requests", () => {
	it("are told as the client made them, in their order, a master before what is inside it", async () => {
		const { client, told } = held(VIEW_MODELS);
		await client.request("Hello", { $vmArg: { Name: "Ada" } });
		await client.request("Hello.Child");
		await client.request("Room");
		assert.deepEqual(told(), [
			["Hello", "Request_VM", "Hello", { $vmArg: { Name: "Ada" } }],
			["Hello.Child", "Request_VM", "Hello.Child", null],
			["Room", "Request_VM", "Room", null],
		]);
		await client.request("Hello", { $vmArg: { Name: "Bob" } });
		assert.deepEqual(told(), [["Hello", "Request_VM", "Hello", { $vmArg: { Name: "Bob" } }]]);
	});

	it("carry the bytes of the client where it sent any", async () => {
		const hub = createViewModelHub({ viewModels: VIEW_MODELS });
		const calls: RetainedCall[] = [];
		const wire = {
			send: () => {},
			close: () => {},
			retain: (_key: string, call: RetainedCall) => void calls.push(call),
		};
		const { connection } = new RecordingClient(hub);
		const { request, transport, protocolName } = connection;
		const identity = { connectionId: "bytes", user: undefined, request, transport, protocolName };
		const client = hub.open(identity, wire);
		const args = Arguments.from("json", Buffer.from('["Hello",null]'), () => ["Hello", null]);
		await client.receive({
			type: MessageType.Invocation,
			invocationId: "1",
			target: "request_vm",
			arguments: args,
		});
		await until(() => calls.length > 0);
		assert.deepEqual(
			calls.map(({ target, arguments: { bytes } }) => [target, bytes]),
			[["Request_VM", args.bytes]],
		);
	});

	it("are forgotten with the view model, and with all inside it", async () => {
		const { client, told } = held(VIEW_MODELS);
		for (const vmId of ["Hello", "Hello.Child", "Room"]) await client.request(vmId);
		told();
		await client.dispose("Hello");
		assert.deepEqual(told(), ["Hello.Child", "Hello"]);
		await client.dispose("Room");
		assert.deepEqual(told(), ["Room"]);
	});

	it("are forgotten where they fail, and where a dispose finds nothing: they were retained elsewhere", async () => {
		const { client, told } = held(VIEW_MODELS);
		await client.request("Nope");
		await client.request("Signed");
		await client.dispose("Hello");
		assert.deepEqual(told(), ["Nope", "Signed", "Hello"]);
	});

	it("are forgotten where this server ends the view model", async () => {
		let isBroken = false;
		class Breaking extends ViewModel {
			get Value(): unknown {
				const cycle: unknown[] = [];
				cycle.push(cycle);
				return isBroken ? cycle : 1;
			}
		}
		const { client, told } = held({ Breaking });
		await client.request("Breaking");
		told();
		isBroken = true;
		await client.request("Breaking");
		assert.deepEqual(new Set(told()), new Set(["Breaking"]));
	});

	it("stay where a client asks again for what it has and may not have any more", async () => {
		const { client, told } = held(VIEW_MODELS);
		await client.request("Signed", { $headers: { token: "old" } });
		await client.request("Signed", { $headers: { token: "stale" } });
		assert.equal(client.responses.at(-1)?.data.ExceptionType, "UnauthorizedAccessException");
		assert.deepEqual(told(), [
			["Signed", "Request_VM", "Signed", { $headers: { token: "old" } }],
			["Signed", "Request_VM", "Signed", { $headers: { token: "stale" } }],
		]);
	});

	it("are told again with the headers that an update brings, all of them", async () => {
		const { client, told } = held(VIEW_MODELS);
		await client.request("Signed", { $vmArg: { Text: "a" }, $headers: { token: "old" } });
		await client.request("Hello");
		told();
		await client.update("Signed", { Text: "b", $headers: { token: "new" } });
		assert.deepEqual(told(), [
			["Signed", "Request_VM", "Signed", { $vmArg: { Text: "a" }, $headers: { token: "new" } }],
			["Hello", "Request_VM", "Hello", { $headers: { token: "new" } }],
		]);
		await client.update("Signed", { Text: "c", $headers: { token: "new" } });
		await client.update("Signed", { Text: "d" });
		assert.deepEqual(told(), [], "the same headers are no news");
	});

	it("are told again with the headers of a later request", async () => {
		const { client, told } = held(VIEW_MODELS);
		await client.request("Signed", { $headers: { token: "old" } });
		told();
		await client.request("Room", { $headers: { token: "new" } });
		assert.deepEqual(told(), [
			["Signed", "Request_VM", "Signed", { $headers: { token: "new" } }],
			["Room", "Request_VM", "Room", { $headers: { token: "new" } }],
		]);
	});

	it("bring back a page at another server, signed in by the token that it was given last", async () => {
		const first = held(VIEW_MODELS);
		await first.client.request("Signed", { $vmArg: { Text: "a" }, $headers: { token: "old" } });
		await first.client.update("Signed", { $headers: { token: "new" } });
		const retained = new Map<string, Told>();
		for (const call of first.told()) if (typeof call !== "string") retained.set(call[0], call);
		const second = held(VIEW_MODELS);
		for (const [, target, ...args] of retained.values() as Iterable<Exclude<Told, string>>)
			await second.client.invoke(target, ...args);
		const [state] = second.client.take();
		assert.equal(state?.Text, "a");
		assert.deepEqual(second.told(), [...retained.values()]);
	});

	it("are nothing more to tell once the client is gone", async () => {
		const { client, told } = held(VIEW_MODELS);
		await client.request("Hello");
		told();
		await client.disconnect();
		assert.deepEqual(told(), []);
	});
});

describe("dotnetify recovery", () => {
	it("opens the clients of view models anew, unless they are told otherwise", () => {
		assert.equal(createViewModelHub().options.recovery, "reopen");
		assert.equal(createViewModelHub({ recovery: "close" }).options.recovery, "close");
	});
});
