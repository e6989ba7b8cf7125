import assert from "node:assert/strict";
import { deferred } from "../../../lib/base/index.js";
import {
	createViewModelHub,
	MulticastViewModel,
	ViewModel,
	type ViewModelClient,
	type ViewModelSources,
} from "../../../lib/dotnetify/index.js";
import { RecordingClient } from "../recording-client.js";

function clientsOf(viewModels: ViewModelSources, count: number): RecordingClient[] {
	const hub = createViewModelHub({ viewModels, detailedErrors: true });
	return Array.from({ length: count }, () => new RecordingClient(hub));
}

/** A chat as dotNetify's example has it: users join by a message and leave with their connection. */
class Chat extends MulticastViewModel {
	static itemKeys = { Users: "Id" };
	static instances: Chat[] = [];
	Users: { Id: string }[] = [];
	Topic = "none";
	#disposed = 0;
	constructor() {
		super();
		Chat.instances.push(this);
	}
	get disposals(): number {
		return this.#disposed;
	}
	AddUser(): void {
		this.addList("Users", { Id: this.connection.connectionId });
	}
	override onMemberLeft({ connectionId }: ViewModelClient): void {
		this.removeList("Users", connectionId);
		this.pushUpdates();
	}
	override dispose(): void {
		this.#disposed++;
	}
}
Object.assign(Chat, { hidden: ["disposals"] });

describe("dotnetify/views/shared-views", () => {
	beforeEach(() => {
		Chat.instances = [];
	});

	it("shares one instance; joins, changes and leavers are seen by the others, once, with their own ids", async () => {
		const [a, b] = clientsOf({ Chat }, 2) as [RecordingClient, RecordingClient];
		await a.request("Chat");
		await a.update("Chat", { AddUser: null });
		assert.deepEqual((await b.request("Chat"))?.Users, [{ Id: a.id }]);
		a.take();
		b.take();
		await b.update("Chat", { AddUser: null });
		assert.deepEqual([a.take(), b.take()], [[{ Users_add: { Id: b.id } }], [{ Users_add: { Id: b.id } }]]);
		await b.update("Chat", { Topic: "T" });
		assert.deepEqual([a.take(), b.take()], [[{ Topic: "T" }], []]);
		await b.disconnect();
		assert.deepEqual(a.take(), [{ Users_remove: b.id }]);
		assert.equal(Chat.instances.length, 1);
	});

	it("is disposed once with its last member, and made anew by the next", async () => {
		const [a, b] = clientsOf({ Chat }, 2) as [RecordingClient, RecordingClient];
		await a.request("Chat");
		await a.request("Chat");
		await b.request("Chat");
		await a.dispose("Chat");
		assert.equal(Chat.instances[0]?.disposals, 0);
		await b.disconnect();
		assert.equal(Chat.instances[0]?.disposals, 1);
		await a.request("Chat");
		assert.equal(Chat.instances.length, 2);
	});

	it("keeps instances apart by instance id and by group name", async () => {
		class Tenant extends MulticastViewModel {
			Text = "";
			override groupName({ headers: { tenant } }: ViewModelClient): string {
				return String(tenant);
			}
		}
		const [a, b, c] = clientsOf({ Tenant }, 3) as [RecordingClient, RecordingClient, RecordingClient];
		await a.request("Tenant", { $headers: { tenant: "x" } });
		await b.request("Tenant", { $headers: { tenant: "y" } });
		await c.request("Tenant", { $headers: { tenant: "x" } });
		await a.request("Tenant$1");
		for (const client of [a, b, c]) client.take();
		await a.update("Tenant", { Text: "t" });
		assert.deepEqual([a.take(), b.take(), c.take()], [[], [], [{ Text: "t" }]]);
		assert.equal((await a.request("Tenant$1"))?.Text, "");
	});

	it("joins the hub's group after the first answer and leaves it when nothing else of the client is in it", async () => {
		class Room extends MulticastViewModel {
			override groupName(): string {
				return "room";
			}
		}
		const [a] = clientsOf({ Room }, 1) as [RecordingClient];
		await a.request("Room$1");
		await a.request("Room$2");
		assert.deepEqual([...a.connection.groups], ["room"]);
		await a.dispose("Room$1");
		assert.deepEqual([...a.connection.groups], ["room"]);
		await a.dispose("Room$2");
		assert.deepEqual([...a.connection.groups], []);
	});

	it("waits for one creation, and fails for all that waited when it fails", async () => {
		let made = 0;
		let gate = deferred();
		class Slow extends MulticastViewModel {
			override async onCreated(): Promise<void> {
				made++;
				await gate.promise;
			}
		}
		const [a, b] = clientsOf({ Slow }, 2) as [RecordingClient, RecordingClient];
		const both = [a.request("Slow"), b.request("Slow")];
		gate.reject(new Error("no"));
		assert.deepEqual(
			(await Promise.all(both)).map((answer) => answer?.Message),
			["no", "no"],
		);
		gate = deferred();
		const again = [a.request("Slow"), b.request("Slow")];
		gate.resolve();
		assert.deepEqual(await Promise.all(again), [{}, {}]);
		assert.equal(made, 2);
	});

	it("disposes what is created after its only client has left, shared or not", async () => {
		for (const Base of [MulticastViewModel, ViewModel]) {
			const gate = deferred();
			const started = deferred();
			const disposed = deferred();
			class Slow extends Base {
				override onCreated(): Promise<void> {
					started.resolve();
					return gate.promise;
				}
				override dispose(): void {
					disposed.resolve();
				}
			}
			const [a] = clientsOf({ Slow }, 1) as [RecordingClient];
			void a.request("Slow");
			await started.promise;
			await a.disconnect();
			gate.resolve();
			await disposed.promise;
			assert.deepEqual(a.responses, []);
		}
	});

	it("handles one update at a time, and knows whose", async () => {
		const gate = deferred();
		class Counter extends MulticastViewModel {
			Log: string[] = [];
			async Step(name: string): Promise<void> {
				this.Log.push(`${name} in`);
				if (name === "a") await gate.promise;
				this.Log.push(`${name} out ${this.caller?.connectionId}`);
			}
		}
		const [a, b, c] = clientsOf({ Counter }, 3) as [RecordingClient, RecordingClient, RecordingClient];
		await a.request("Counter");
		await b.request("Counter");
		const both = [a.update("Counter", { Step: "a" }), b.update("Counter", { Step: "b" })];
		await new Promise((resolve) => setImmediate(resolve));
		assert.deepEqual(await c.request("Counter"), { Log: ["a in"] }, "a request does not wait for an update");
		gate.resolve();
		await Promise.all(both);
		assert.deepEqual((await c.request("Counter"))?.Log, ["a in", `a out ${a.id}`, "b in", `b out ${b.id}`]);
	});

	it("sends members what they do not know before a newcomer's state has it", async () => {
		let room: MulticastViewModel | undefined;
		class Feed extends MulticastViewModel {
			static itemKeys = { Items: "Id" };
			Items: object[] = [];
			override onCreated(): void {
				room = this;
			}
		}
		const [a, b] = clientsOf({ Feed }, 2) as [RecordingClient, RecordingClient];
		await a.request("Feed");
		a.take();
		room?.addList("Items", { Id: 1 });
		assert.deepEqual((await b.request("Feed"))?.Items, [{ Id: 1 }]);
		room?.pushUpdates();
		assert.deepEqual([a.take(), b.take().length], [[{ Items_add: { Id: 1 } }], 1]);
	});

	it("sends directly without touching the state: a group before users before connections, minus the excluded", async () => {
		class Direct extends MulticastViewModel {
			Send(message: Parameters<MulticastViewModel["send"]>[0]): void {
				this.send({ ...message, properties: { Note: 1 } });
			}
			override groupName(): string {
				return "g";
			}
		}
		const hub = createViewModelHub({ viewModels: { Direct } });
		const a = new RecordingClient(hub, { user: { id: "u" } });
		const b = new RecordingClient(hub);
		await a.request("Direct");
		await b.request("Direct");
		const reached = async (message: object): Promise<string> => {
			a.take();
			b.take();
			await a.update("Direct", { Send: message });
			return `${a.take().length}${b.take().length}`;
		};
		const other = { connectionIds: [b.id] };
		assert.equal(await reached(other), "01");
		assert.equal(await reached({ ...other, userIds: ["u"] }), "10");
		assert.equal(await reached({ ...other, userIds: ["u"], groupName: "g" }), "11");
		assert.equal(await reached({ groupName: "g", excludedConnectionIds: [a.id] }), "01");
		assert.equal(await reached({}), "00");
		assert.deepEqual(await b.request("Direct"), {});
	});

	it("belongs to no client in particular, also when a factory makes it", async () => {
		class Who extends MulticastViewModel {
			Last = "";
			Touch(): void {
				this.Last = this.connection.connectionId;
			}
		}
		const [a, b] = clientsOf({ Who: () => new Who() }, 2) as [RecordingClient, RecordingClient];
		await a.request("Who");
		await b.request("Who");
		assert.deepEqual(await b.update("Who", { Touch: null }), [{ Last: b.id }]);
	});

	it("says so when connection is read outside of a message", async () => {
		let room: MulticastViewModel | undefined;
		class Quiet extends MulticastViewModel {
			override onCreated(): void {
				room = this;
			}
		}
		const [a] = clientsOf({ Quiet }, 1) as [RecordingClient];
		await a.request("Quiet");
		assert.equal(room?.caller, undefined);
		assert.throws(() => room?.connection, { code: "ERR_VIEW_MODEL", message: /use caller/ });
	});
});
