import assert from "node:assert/strict";
import { type AppServer, startAppServer } from "../../app-server/server.js";
import { readSettings } from "../../app-server/settings.js";
import type { ChatMessage, ChatUser, Employee } from "../../app-server/view-models/contracts.js";
import { MAX_EMPLOYEES, MAX_MESSAGES, MAX_TEXT_LENGTH } from "../../app-server/view-models/limits.js";
import { type Data, ViewModelClient } from "./view-model-client.js";

const has =
	(name: string) =>
	(data: Data): boolean =>
		name in data;

describe("app-server/view-models", () => {
	let server: AppServer;
	let clients: ViewModelClient[];

	async function connect(headers: Readonly<Record<string, string>> = {}): Promise<ViewModelClient> {
		const client = await ViewModelClient.connect(`${server.url}/dotnetify`, headers);
		clients.push(client);
		return client;
	}

	beforeEach(async () => {
		clients = [];
		const options = {
			...readSettings({}),
			port: 0,
			pagesDirectory: null,
			serverId: "app-1",
			maxChatUsers: 3,
		};
		server = await startAppServer(options);
	});

	afterEach(async () => {
		await Promise.all(clients.map((client) => client.close()));
		await server.close();
	});

	describe("Connection", () => {
		it("names the app server and no proxy to a client that connected directly", async () => {
			const client = await connect();
			assert.deepEqual(await client.request("Connection"), { ConnectedThrough: [], AppServer: "app-1" });
		});

		it("names the proxies of the Via header, the client's first", async () => {
			const client = await connect({ Via: "1.1 proxy-1, 1.1 proxy-2 (Trunkline)" });
			const { ConnectedThrough } = await client.request("Connection");
			assert.deepEqual(ConnectedThrough, ["proxy-1", "proxy-2"]);
		});

		it("keeps ten names of 64 characters of a Via header, whatever is in it", async () => {
			const client = await connect({ Via: `nonsense,, 1.1 ${"x".repeat(100)}, ${"1.1 p, ".repeat(20)}` });
			const { ConnectedThrough } = await client.request("Connection");
			assert.deepEqual(ConnectedThrough, ["x".repeat(64), ...Array(9).fill("p")]);
		});
	});

	describe("HelloWorld", () => {
		it("greets by the names that are typed", async () => {
			const client = await connect();
			const { FirstName, LastName, Greetings } = await client.request("HelloWorld");
			assert.deepEqual([FirstName, LastName, Greetings], ["Hello", "World", "Hello, Hello World!"]);
			await client.update("HelloWorld", { FirstName: "Ada" });
			assert.deepEqual(await client.next("HelloWorld", has("Greetings")), { Greetings: "Hello, Ada World!" });
			await client.update("HelloWorld", { LastName: "Lovelace" });
			assert.deepEqual(await client.next("HelloWorld", has("Greetings")), {
				Greetings: "Hello, Ada Lovelace!",
			});
		});

		it("pushes the time again and again", async () => {
			const client = await connect();
			const { ServerTime } = await client.request("HelloWorld");
			const times = [Date.parse(String(ServerTime))];
			for (let count = 0; count < 2; count++) {
				const pushed = await client.next("HelloWorld", has("ServerTime"));
				times.push(...Object.values(pushed).map((time) => Date.parse(String(time))));
			}
			assert.deepEqual(
				times,
				times.toSorted((a, b) => a - b),
			);
			assert.equal(new Set(times).size, 3);
		});
	});

	describe("SimpleList", () => {
		it("has ten employees with a key", async () => {
			const client = await connect();
			const { Employees, Employees_itemKey } = await client.request("SimpleList");
			assert.equal((Employees as Employee[]).length, 10);
			assert.equal(Employees_itemKey, "Id");
		});

		it("sends only what changed when one is added, changed and removed", async () => {
			const client = await connect();
			await client.request("SimpleList");
			await client.update("SimpleList", { Add: "Margaret Hamilton" });
			const added = { Id: 11, FirstName: "Margaret", LastName: "Hamilton" };
			assert.deepEqual(await client.next("SimpleList"), { Employees_add: added });
			await client.update("SimpleList", { Update: { Id: 11, FirstName: "Peggy" } });
			assert.deepEqual(await client.next("SimpleList"), {
				Employees_update: { ...added, FirstName: "Peggy" },
			});
			await client.update("SimpleList", { Remove: 11 });
			assert.deepEqual(await client.next("SimpleList"), { Employees_remove: 11 });
			assert.deepEqual(client.unread, []);
		});

		it("shows every page what another has done when it loads", async () => {
			const [one, other] = [await connect(), await connect()];
			await one.request("SimpleList");
			await one.update("SimpleList", { Remove: 1 });
			const { Employees } = await other.request("SimpleList");
			assert.equal((Employees as Employee[]).length, 9);
		});

		it("takes away an employee whom another page has removed when it is changed", async () => {
			const [one, other] = [await connect(), await connect()];
			await one.request("SimpleList");
			await other.request("SimpleList");
			await one.update("SimpleList", { Remove: 1 });
			await other.update("SimpleList", { Update: { Id: 1, FirstName: "Nobody" } });
			assert.deepEqual(await other.next("SimpleList"), { Employees_remove: 1 });
		});

		it(`tells why the employee after the ${MAX_EMPLOYEES}th is refused`, async () => {
			const client = await connect();
			await client.request("SimpleList");
			for (let count = 10; count < MAX_EMPLOYEES; count++)
				await client.update("SimpleList", { Add: `Nr ${count}` });
			await client.update("SimpleList", { Add: "One More" });
			const { Message } = await client.next("SimpleList", has("ExceptionType"));
			assert.match(String(Message), /holds 100 employees and is full/);
		});
	});

	describe("LiveChart", () => {
		it("starts with thirty points, twelve bars and three shares", async () => {
			const client = await connect();
			const { Waveform, Bar, Pie } = await client.request("LiveChart");
			const lengths = [Waveform, Bar, Pie].map((list) => (list as unknown[]).length);
			assert.deepEqual(lengths, [30, 12, 3]);
			assert.deepEqual((Waveform as unknown[])[0], ["1", String(Math.sin(1 / Math.PI))]);
		});

		it("pushes the next point and new bars and shares in one message", async () => {
			const client = await connect();
			await client.request("LiveChart");
			const { Waveform_add, Bar, Pie } = await client.next("LiveChart");
			assert.deepEqual(Waveform_add, ["31", String(Math.sin(31 / Math.PI))]);
			assert.equal((Bar as number[]).length, 12);
			assert.ok((Bar as number[]).every((bar) => Number.isInteger(bar) && bar >= 500 && bar <= 999));
			assert.ok((Pie as number[]).every((share) => share >= 0 && share < 1));
		});
	});

	describe("ChatRoom", () => {
		async function enter(correlationId: string): Promise<ViewModelClient> {
			const client = await connect({ "User-Agent": "Mozilla/5.0 (X11) Gecko/20100101 Firefox/140.0" });
			await client.request("ChatRoom");
			await client.update("ChatRoom", { AddUser: correlationId });
			await client.next("ChatRoom", has("Users_add"));
			return client;
		}

		async function stateFor(
			client: ViewModelClient,
		): Promise<{ Messages: ChatMessage[]; Users: ChatUser[] }> {
			return (await client.request("ChatRoom", "Users")) as unknown as {
				Messages: ChatMessage[];
				Users: ChatUser[];
			};
		}

		it("shows everybody who comes in", async () => {
			const ada = await enter("ada");
			const bob = await enter("bob");
			const expected = {
				Id: bob.connectionId,
				CorrelationId: "bob",
				Name: "user2",
				IpAddress: "127.0.0.1",
				Browser: "Firefox 140",
			};
			assert.deepEqual(await ada.next("ChatRoom", has("Users_add")), { Users_add: expected });
			const { Users } = await stateFor(bob);
			assert.deepEqual(
				Users.map(({ CorrelationId }) => CorrelationId),
				["ada", "bob"],
			);
		});

		it("lets nobody in twice, and finds whoever asks again by the new correlation id", async () => {
			const ada = await enter("ada");
			await ada.update("ChatRoom", { AddUser: "ada again" });
			const { Users } = await stateFor(ada);
			assert.deepEqual(
				Users.map(({ Name, CorrelationId }) => [Name, CorrelationId]),
				[["user1", "ada again"]],
			);
		});

		it("takes no empty message, and lets in whoever sends one without asking first", async () => {
			const ada = await connect();
			await ada.request("ChatRoom");
			await ada.update("ChatRoom", { SendMessage: null });
			await ada.update("ChatRoom", { SendMessage: { Text: "  " } });
			assert.deepEqual(ada.unread, []);
			await ada.update("ChatRoom", { SendMessage: { Text: "Hello" } });
			const { Messages, Users } = await stateFor(ada);
			assert.deepEqual([Messages.length, Users[0]?.Id], [1, ada.connectionId]);
		});

		it("tells the user who is one too many that the room is full", async () => {
			for (const name of ["ada", "bob", "eve"]) await enter(name);
			const late = await connect();
			await late.request("ChatRoom");
			await late.update("ChatRoom", { AddUser: "late" });
			const { Message } = await late.next("ChatRoom", has("ExceptionType"));
			assert.equal(Message, "The room is full: 3 people are in it.");
			assert.equal((await stateFor(late)).Users.length, 3);
		});

		it("carries a message to everybody", async () => {
			const [ada, bob] = [await enter("ada"), await enter("bob")];
			const at = "2026-01-02T03:04:05.000Z";
			await ada.update("ChatRoom", { SendMessage: { Text: " Hello ", Date: at, UserName: "" } });
			const message = { Id: 1, UserId: ada.connectionId, UserName: "user1", Date: at, Text: "Hello" };
			assert.deepEqual(await ada.next("ChatRoom", has("Messages_add")), { Messages_add: message });
			assert.deepEqual(await bob.next("ChatRoom", has("Messages_add")), { Messages_add: message });
		});

		it("calls a user what the message says", async () => {
			const [ada, bob] = [await enter("ada"), await enter("bob")];
			await ada.update("ChatRoom", { SendMessage: { Text: "Hi", Date: "no date", UserName: "Ada" } });
			const seen = await bob.next("ChatRoom", has("Messages_add"));
			const { Messages_add, Users_update } = seen as { Messages_add: ChatMessage; Users_update: ChatUser };
			assert.deepEqual([Messages_add.UserName, Users_update.Name], ["Ada", "Ada"]);
			assert.ok(!Number.isNaN(Date.parse(Messages_add.Date)));
		});

		it("tells a message that begins with a name to that user and the sender only", async () => {
			const [ada, bob, eve] = [await enter("ada"), await enter("bob"), await enter("eve")];
			await ada.update("ChatRoom", { SendMessage: { Text: "user2: psst" } });
			const { PrivateMessage } = await bob.next("ChatRoom", has("PrivateMessage"));
			assert.equal((PrivateMessage as ChatMessage).Text, "user2: psst");
			assert.deepEqual(await ada.next("ChatRoom", has("PrivateMessage")), { PrivateMessage });
			await ada.update("ChatRoom", { SendMessage: { Text: "for all" } });
			await eve.next("ChatRoom", has("Messages_add"));
			assert.ok(!eve.unread.some(({ data }) => "PrivateMessage" in data));
			assert.equal((await stateFor(eve)).Messages.length, 1);
		});

		it("shows everybody who goes, by a command or by losing the connection", async () => {
			const [ada, bob, eve] = [await enter("ada"), await enter("bob"), await enter("eve")];
			const ids = [bob.connectionId, eve.connectionId];
			await bob.update("ChatRoom", { RemoveUser: null });
			assert.deepEqual(await ada.next("ChatRoom", has("Users_remove")), { Users_remove: ids[0] });
			await eve.close();
			assert.deepEqual(await ada.next("ChatRoom", has("Users_remove")), { Users_remove: ids[1] });
		});

		it(`remembers ${MAX_MESSAGES} messages of ${MAX_TEXT_LENGTH} characters`, async () => {
			const ada = await enter("ada");
			const Text = "x".repeat(MAX_TEXT_LENGTH + 1);
			for (let count = 0; count <= MAX_MESSAGES; count++)
				await ada.update("ChatRoom", { SendMessage: { Text } });
			const { Messages_remove } = await ada.next("ChatRoom", has("Messages_remove"));
			assert.equal(Messages_remove, 1);
			const { Messages } = await stateFor(ada);
			assert.equal(Messages.length, MAX_MESSAGES);
			assert.equal(Messages[0]?.Id, 2);
			assert.equal(Messages[0]?.Text.length, MAX_TEXT_LENGTH);
		});

		for (const values of [
			{ Messages: [] },
			{ Users: [] },
			{ "Messages.0": { Text: "changed" } },
			{ "Messages.0.Text": "changed" },
			{ "Messages.$1.Text": "changed" },
			{ "Users.0.Name": "changed" },
			{ "Messages.length": 0 },
		]) {
			it(`is not to be changed by ${JSON.stringify(values)}`, async () => {
				const ada = await enter("ada");
				await ada.update("ChatRoom", { SendMessage: { Text: "kept" } });
				await ada.update("ChatRoom", values);
				const { Messages, Users } = await stateFor(await enter("bob"));
				assert.deepEqual(
					[Messages.map(({ Text }) => Text), Users.map(({ Name }) => Name)],
					[["kept"], ["user1", "user2"]],
				);
			});
		}
	});
});
