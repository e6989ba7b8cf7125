import assert from "node:assert/strict";
import { deferred } from "../../lib/base/index.js";
import {
	createViewModelHub,
	MulticastViewModel,
	ViewModel,
	type ViewModelClient,
	type ViewModelHubOptions,
	viewModelRoute,
} from "../../lib/dotnetify/index.js";
import { HubException } from "../../lib/errors/index.js";
import { Arguments } from "../../lib/protocols/index.js";
import { HelloWorld, InvalidOperationException } from "./recorded-view-models.js";
import { RecordingClient } from "./recording-client.js";
import { Subject } from "./subject.js";

interface LogLine {
	readonly message: string;
	readonly vmId?: unknown;
	readonly viewModel?: unknown;
	readonly hook?: unknown;
	readonly err?: unknown;
}

function clientOf(options: ViewModelHubOptions): RecordingClient {
	return new RecordingClient(createViewModelHub(options));
}

/** A log that keeps its error lines. */
function errorLog(): { log: NonNullable<ViewModelHubOptions["log"]>; errors: LogLine[] } {
	const errors: LogLine[] = [];
	const nothing = (): void => {};
	const error = (fields: object, message: string): void => void errors.push({ ...fields, message });
	return { errors, log: { debug: nothing, info: nothing, warn: nothing, error } };
}

describe("dotnetify/view-model-hub", () => {
	it("tells routes by the first argument", () => {
		assert.deepEqual(viewModelRoute("x", Arguments.of(["a$1.B", null])), { vmId: "a$1.B", root: "a$1" });
		assert.deepEqual(viewModelRoute("x", Arguments.of([""])), { vmId: "", root: "" });
		assert.equal(viewModelRoute("x", Arguments.of([null])), undefined);
		assert.equal(viewModelRoute("x", Arguments.of([])), undefined);
	});

	it("answers as for an unknown view model when it has none", async () => {
		const client = clientOf({});
		const { ExceptionType, Message } = (await client.request("HelloWorld")) ?? {};
		assert.equal(ExceptionType, "Exception");
		assert.match(String(Message), /^\[dotNetify\] ERROR: 'HelloWorld' is not a known view model!/);
		assert.equal((await client.request("toString"))?.ExceptionType, "Exception");
	});

	it("still answers to the obsolete names", async () => {
		const client = clientOf({ viewModels: { HelloWorld } });
		await client.invoke("Request_VM_Obsolete", "HelloWorld", null);
		await client.invoke("Update_VM_Obsolete", "HelloWorld", { FirstName: "A" });
		await client.invoke("Dispose_VM_Obsolete", "HelloWorld");
		assert.deepEqual(client.take().at(-1), { Greetings: "A World" });
		assert.deepEqual(await client.update("HelloWorld", { FirstName: "B" }), []);
	});

	it("sends states and changes as state, keyed by what they hold, and everything else as events", async () => {
		class Rows extends ViewModel {
			static itemKeys = { Rows: "Id" };
			Rows: object[] = [];
			A = 1;
			Add(): void {
				this.addList("Rows", { Id: 1 });
			}
			SetA(): void {
				this.A++;
			}
		}
		const client = clientOf({ viewModels: { Rows } });
		await client.request("Rows");
		await client.update("Rows", { SetA: null });
		await client.update("Rows", { Add: null });
		await client.request("Nope");
		assert.deepEqual(
			client.responses.map(({ delivery }) => delivery),
			[
				{ kind: "whole", key: "Rows" },
				{ kind: "change", key: "Rows" },
				{ kind: "change", key: "Rows" },
				{ kind: "event" },
			],
		);
	});

	it("refuses a limit that is none", () => {
		assert.throws(() => createViewModelHub({ maxVmIdLength: 0 }), { code: "ERR_OPTION" });
	});

	it("takes its limits beside the options of a hub, and refuses names that neither has", () => {
		const limits = { maxViewModelsPerConnection: 5, maxVmIdLength: 5, maxHeadersLength: 5 };
		const hub = createViewModelHub({ ...limits, maxQueuedListChanges: 5, maxMessageBytes: 5 });
		assert.equal(hub.options.maxMessageBytes, 5);
		const refused = (options: object, message: RegExp): void =>
			assert.throws(() => createViewModelHub(options), { code: "ERR_OPTION", message });
		refused({ views: {} }, /A hub has no option "views"/);
		refused({ methods: {} }, /"methods" of its own/);
		refused({ route: () => undefined }, /"route" of its own/);
	});

	it("refuses view models that are neither classes of theirs nor functions", () => {
		const refused = (source: unknown, found: string): void =>
			assert.throws(() => createViewModelHub({ viewModels: { Orders: source as () => ViewModel } }), {
				code: "ERR_OPTION",
				message: `View model "Orders" must be a class that extends ViewModel, or a function that makes one; found ${found}.`,
			});
		refused({}, "object");
		refused(undefined, "undefined");
		refused(class Orders {}, "another class");
	});

	describe("over dotNetify's link", () => {
		const linked = (): RecordingClient =>
			new RecordingClient(createViewModelHub({ viewModels: { HelloWorld } }), {
				protocolName: "dotnetify-link",
			});

		it("reads the data from JSON text", async () => {
			const client = linked();
			const state = await client.request("HelloWorld", '{"$vmArg":{"FirstName":"A"}}');
			assert.equal(state?.Greetings, "A World");
			assert.deepEqual(await client.update("HelloWorld", '{"LastName":"B"}'), [{ Greetings: "A B" }]);
			assert.equal((await client.request("HelloWorld", null))?.LastName, "B");
		});

		it("answers data that is not JSON with an error of the view model", async () => {
			const client = linked();
			for (const text of ["System.Collections.Generic.Dictionary`2", "", '{"a":', "text"]) {
				assert.equal((await client.request("HelloWorld", text))?.ExceptionType, "JsonException");
				const completion = await client.invoke("Update_VM", "HelloWorld", text);
				assert.deepEqual([completion.error, completion.result], [undefined, null]);
			}
		});

		it("ignores a request's data that is no object, and refuses an update's", async () => {
			for (const text of ["5", '"text"', "[1,2]"]) {
				const client = linked();
				assert.equal((await client.request("HelloWorld", text))?.FirstName, "Hello");
			}
			for (const text of ["5", '"text"']) {
				const client = linked();
				await client.request("HelloWorld", null);
				assert.equal((await client.update("HelloWorld", text))[0]?.ExceptionType, "JsonException");
			}
		});
	});

	describe("requests", () => {
		it("finishes onCreated before the state, with $vmArg in place and converted", async () => {
			class Page extends ViewModel {
				Number = 1;
				Nested = { Text: "" };
				Seen = "";
				override async onCreated(): Promise<void> {
					await Promise.resolve();
					this.Seen = `${this.Number} ${this.Nested.Text}`;
				}
			}
			const client = clientOf({ viewModels: { Page } });
			const vmArg = { Number: "5", "Nested.Text": "x", Unknown: 1 };
			assert.deepEqual(await client.request("Page", { $vmArg: vmArg }), {
				...{ Number: 5, Nested: { Text: "x" }, Seen: "5 x" },
			});
		});

		it("takes the whole object for arguments where there is no $vmArg, and ignores what is no object", async () => {
			const client = clientOf({ viewModels: { HelloWorld } });
			assert.equal((await client.request("HelloWorld", { FirstName: "A", $headers: {} }))?.FirstName, "A");
			assert.equal((await client.request("HelloWorld$2", [1]))?.FirstName, "Hello");
		});

		it("knows client and instance id from the first field on", async () => {
			class Who extends ViewModel {
				Text = `${this.connection.connectionId} ${this.instanceId}`;
				constructor(instanceId?: string) {
					super();
					this.Text += ` ${instanceId}`;
				}
			}
			const client = clientOf({ viewModels: { Who } });
			assert.deepEqual(await client.request("Who$7"), { Text: `${client.id} 7 7` });
		});

		it("makes view models by factories, and picks by namespace", async () => {
			class Other extends HelloWorld {
				override FirstName = "Other";
			}
			const seen: unknown[] = [];
			const factory = (instanceId: string | undefined, { connectionId }: ViewModelClient): ViewModel => {
				seen.push([instanceId, connectionId]);
				return new HelloWorld();
			};
			const client = clientOf({ viewModels: { HelloWorld: factory, "Shop.HelloWorld": Other } });
			assert.equal((await client.request("HelloWorld$1"))?.FirstName, "Hello");
			assert.equal(
				(await client.request("HelloWorld", { $vmArg: { Namespace: "Shop" } }))?.FirstName,
				"Other",
			);
			assert.deepEqual(seen, [["1", client.id]]);
		});

		it("refuses a field that is not data, tells the operator the cure, and disposes the view model", async () => {
			let disposed = 0;
			class Shop extends ViewModel {
				cache = new Map();
				override dispose(): void {
					disposed++;
				}
			}
			const { log, errors } = errorLog();
			const client = clientOf({ viewModels: { Shop }, log });
			assert.deepEqual(await client.request("Shop"), {
				ExceptionType: "Exception",
				Message: "An unexpected error occurred processing 'Shop' on the server.",
			});
			assert.match(String(errors[0]?.err), /Shop\.cache holds a Map.*#cache/);
			assert.equal(disposed, 1);
		});

		it("lets no $vmArg into a field that is not data", async () => {
			const repository = { url: "safe", find: (): void => {} };
			class Shop extends ViewModel {
				repository = repository;
			}
			await clientOf({ viewModels: { Shop } }).request("Shop", { $vmArg: { "repository.url": "evil" } });
			assert.equal(repository.url, "safe");
		});
	});

	describe("updates", () => {
		it("answers with what else changed, and echoes what was changed back", async () => {
			class Form extends ViewModel {
				Other = 1;
				#name = "";
				get Name(): string {
					return this.#name;
				}
				set Name(value: string) {
					this.#name = value.trim();
					this.Other++;
				}
			}
			const client = clientOf({ viewModels: { Form } });
			await client.request("Form");
			assert.deepEqual(await client.update("Form", { Name: "a" }), [{ Other: 2 }]);
			assert.deepEqual(await client.update("Form", { Name: " b " }), [{ Other: 3, Name: "b" }]);
		});

		it("gives a path that names nothing to onUnresolvedUpdate, whose changes are the reaction", async () => {
			class Tree extends ViewModel {
				Opened = "";
				override onUnresolvedUpdate(path: string, value: unknown): void {
					this.Opened = `${path}=${value}`;
				}
			}
			const client = clientOf({ viewModels: { Tree } });
			await client.request("Tree");
			assert.deepEqual(await client.update("Tree", { "Root.Children.$4.Expanded": true }), [
				{ Opened: "Root.Children.$4.Expanded=true" },
			]);
		});

		it("pushes the other view models of the client that changed, after the reaction", async () => {
			const views: Other[] = [];
			class Other extends ViewModel {
				Shown = 0;
				override onCreated(): void {
					views.push(this);
				}
			}
			class List extends ViewModel {
				Count = 0;
				Select(id: number): void {
					for (const view of views) view.Shown = id;
					this.Count++;
				}
			}
			const client = clientOf({ viewModels: { List, Other } });
			await client.request("Other");
			await client.request("List");
			assert.deepEqual(await client.update("List", { Select: 5 }), [{ Count: 1 }, { Shown: 5 }]);
		});

		it("pushes by themselves what observables emit, once per turn, and never while a message is handled", async () => {
			const price = new Subject(1);
			class Stock extends ViewModel {
				Price = price;
				Double = price.map((value) => value * 2);
			}
			const client = clientOf({ viewModels: { Stock } });
			await client.request("Stock");
			client.take();
			price.next(2);
			price.next(3);
			await Promise.resolve();
			assert.deepEqual(client.take(), [{ Price: 3, Double: 6 }]);
			assert.deepEqual(await client.update("Stock", { Price: 4 }), [{ Double: 8 }]);
			await client.disconnect();
			assert.equal(price.observers, 1, "only the mapped subject is left");
		});

		it("handles the messages of one client in order although the hub runs them in parallel", async () => {
			const gate = deferred();
			class Slow extends ViewModel {
				Log = "";
				async Wait(): Promise<void> {
					await gate.promise;
					this.Log += "waited ";
				}
				Next(): void {
					this.Log += "next";
				}
			}
			const client = clientOf({ viewModels: { Slow }, maximumParallelInvocations: 3 });
			const all = [
				client.request("Slow"),
				client.update("Slow", { Wait: 1 }),
				client.update("Slow", { Next: 1 }),
			];
			gate.resolve();
			await Promise.all(all);
			assert.deepEqual(client.take(), [{ Log: "" }, { Log: "waited " }, { Log: "waited next" }]);
		});

		it("serves other clients while one's method never returns, and disposes it at disconnect", async () => {
			let disposed = 0;
			class Hanging extends ViewModel {
				Hang(): Promise<void> {
					return new Promise(() => {});
				}
				override dispose(): void {
					disposed++;
				}
			}
			const hub = createViewModelHub({ viewModels: { Hanging, HelloWorld } });
			const [stuck, other] = [new RecordingClient(hub), new RecordingClient(hub)];
			await stuck.request("Hanging");
			void stuck.update("Hanging", { Hang: 1 });
			assert.ok(await other.request("HelloWorld"));
			await stuck.disconnect();
			assert.equal(disposed, 1);
		});
	});

	describe("headers", () => {
		class Secure extends ViewModel {
			get Token(): unknown {
				const { token } = this.headers;
				return token;
			}
			Touch(): void {}
		}

		it("keeps them per client, from requests and updates, and answers nothing to headers alone", async () => {
			const hub = createViewModelHub({ viewModels: { Secure } });
			const [one, two] = [new RecordingClient(hub), new RecordingClient(hub)];
			assert.deepEqual(await one.request("Secure", { $headers: { token: "a" } }), { Token: "a" });
			assert.deepEqual(await two.request("Secure", { $headers: { token: "z" } }), { Token: "z" });
			assert.deepEqual(await one.update("Secure", { $headers: { token: "b" } }), []);
			assert.deepEqual(await one.update("Secure", { Touch: null }), [{ Token: "b" }]);
			assert.deepEqual(await two.request("Secure"), { Token: "z" });
		});

		it("refuses them above maxHeadersLength and keeps the old ones", async () => {
			const client = clientOf({ viewModels: { Secure }, maxHeadersLength: 20 });
			await client.request("Secure", { $headers: { token: "a" } });
			const [error] = await client.update("Secure", { $headers: { token: "x".repeat(20) } });
			assert.equal(error?.Message, "The $headers are longer than 20 characters.");
			assert.deepEqual(await client.request("Secure"), { Token: "a" });
		});
	});

	describe("authorize", () => {
		it("is asked at request and update, for masters too, and before anything is made", async () => {
			let made = 0;
			let isAllowed = true;
			class Secret extends ViewModel {
				static authorize = async ({ headers: { ok } }: ViewModelClient): Promise<boolean> =>
					ok === 1 && isAllowed;
				S = ++made;
				N = 0;
			}
			const client = clientOf({ viewModels: { Secret, HelloWorld } });
			const refused = {
				ExceptionType: "UnauthorizedAccessException",
				Message: "Attempted to perform an unauthorized operation.",
			};
			assert.deepEqual(await client.request("Secret"), refused);
			assert.deepEqual(await client.request("Secret.HelloWorld"), refused);
			assert.equal(made, 0);
			assert.deepEqual(await client.request("Secret", { $headers: { ok: 1 } }), { S: 1, N: 0 });
			isAllowed = false;
			assert.deepEqual(await client.update("Secret", { N: 1 }), [refused]);
			assert.deepEqual(await client.request("Secret"), refused);
		});

		for (const kind of ["at once", "later"]) {
			it(`is asked at pushes, answering ${kind}, and what was held back is sent when it is allowed again`, async () => {
				let isAllowed = true;
				let view: Clock | undefined;
				class Clock extends ViewModel {
					static authorize = (): boolean | Promise<boolean> =>
						kind === "later" ? Promise.resolve(isAllowed) : isAllowed;
					Now = 0;
					override onCreated(): void {
						view = this;
					}
					tick(): void {
						this.Now++;
						this.pushUpdates();
					}
				}
				const client = clientOf({ viewModels: { Clock } });
				await client.request("Clock");
				client.take();
				const pushed = async (): Promise<unknown[]> => {
					view?.tick();
					await Promise.resolve();
					return client.take().map(({ Now, ExceptionType }) => Now ?? ExceptionType);
				};
				assert.deepEqual(await pushed(), [1]);
				isAllowed = false;
				assert.deepEqual(await pushed(), ["UnauthorizedAccessException"]);
				isAllowed = true;
				assert.deepEqual(await pushed(), [3]);
			});
		}

		it("with true wants a known user", async () => {
			class Secret extends ViewModel {
				static authorize = true as const;
				S = 1;
			}
			const hub = createViewModelHub({ viewModels: { Secret, Made: () => new Secret() } });
			assert.deepEqual(await new RecordingClient(hub, { user: { id: "u" } }).request("Secret"), { S: 1 });
			assert.equal(
				(await new RecordingClient(hub).request("Made"))?.ExceptionType,
				"UnauthorizedAccessException",
			);
		});
	});

	describe("errors", () => {
		class Failing extends ViewModel {
			Fail(kind: string): void {
				if (kind === "hub") throw new HubException("for everybody");
				if (kind === "type") throw new TypeError("secret");
				if (kind === "text") throw "secret text";
				throw kind === "own" ? new InvalidOperationException("secret") : new Error("secret");
			}
		}
		const answersOf = async (detailedErrors: boolean): Promise<unknown[]> => {
			const client = clientOf({ viewModels: { Failing }, detailedErrors });
			await client.request("Failing");
			const answers: unknown[] = [];
			for (const kind of ["hub", "type", "text", "own", "plain"]) {
				const [answer] = await client.update("Failing", { Fail: kind });
				answers.push(Object.values(answer ?? {}).join(": "));
			}
			return answers;
		};

		it("show only what is meant for clients", async () => {
			const hidden = "Exception: An unexpected error occurred processing 'Failing' on the server.";
			assert.deepEqual(await answersOf(false), [
				"HubException: for everybody",
				hidden,
				hidden,
				hidden,
				hidden,
			]);
		});

		it("show type and text with detailedErrors", async () => {
			assert.deepEqual(await answersOf(true), [
				...["HubException: for everybody", "TypeError: secret", "Exception: secret text"],
				...["InvalidOperationException: secret", "Exception: secret"],
			]);
		});

		it("are logged with class and id, without the data", async () => {
			const { log, errors } = errorLog();
			const client = clientOf({ viewModels: { Failing }, log });
			await client.request("Failing$1");
			await client.update("Failing$1", { Fail: "plain", Other: "payload" });
			assert.equal(errors.length, 1);
			assert.deepEqual([errors[0]?.vmId, errors[0]?.viewModel], ["Failing$1", "Failing"]);
			assert.ok(!JSON.stringify(errors).includes("payload"));
		});

		it("of dispose and hooks stop nothing and are logged", async () => {
			class Bad extends ViewModel {
				override async dispose(): Promise<void> {
					await Promise.resolve();
					throw new Error("no");
				}
			}
			const { log, errors } = errorLog();
			const client = clientOf({ viewModels: { Bad, HelloWorld }, log });
			await client.request("Bad");
			await client.request("HelloWorld");
			await client.disconnect();
			await new Promise((resolve) => setImmediate(resolve));
			assert.deepEqual(
				errors.map(({ hook }) => hook),
				["dispose"],
			);
		});

		it("of a getter at a push are logged, and the other view models push", async () => {
			const { log, errors } = errorLog();
			let push = (): void => {};
			let isBroken = false;
			class Broken extends ViewModel {
				get A(): number {
					if (isBroken) throw new Error("no");
					return 1;
				}
			}
			class Fine extends ViewModel {
				N = 0;
				override onCreated(): void {
					push = () => {
						this.N++;
						this.pushUpdates();
					};
				}
			}
			const client = clientOf({ viewModels: { Broken, Fine }, log });
			await client.request("Broken");
			await client.request("Fine");
			client.take();
			isBroken = true;
			push();
			assert.deepEqual(client.take(), [{ N: 1 }]);
			assert.equal(errors[0]?.viewModel, "Broken");
		});
	});

	describe("limits", () => {
		it("refuses more view models than maxViewModelsPerConnection, masters counted, until some are disposed", async () => {
			const client = clientOf({ viewModels: { HelloWorld }, maxViewModelsPerConnection: 2 });
			await client.request("HelloWorld$1.HelloWorld");
			const refused = await client.request("HelloWorld$2");
			assert.equal(refused?.ExceptionType, "InvalidOperationException");
			await client.dispose("HelloWorld$1");
			assert.equal((await client.request("HelloWorld$2"))?.FirstName, "Hello");
		});

		it("refuses ids longer than maxVmIdLength, and warns the operator with a code", async () => {
			const warnings: object[] = [];
			const log = { ...errorLog().log, warn: (fields: object): void => void warnings.push(fields) };
			const client = clientOf({ viewModels: { HelloWorld }, maxVmIdLength: 12, log });
			assert.ok((await client.request("HelloWorld$1"))?.FirstName);
			const refused = await client.request("HelloWorld$12");
			assert.equal(refused?.Message, "The view model id is longer than 12 characters.");
			assert.deepEqual(warnings, [{ code: "ERR_LIMIT", connectionId: client.id }]);
		});

		it("counts what a client holds of shared view models too", async () => {
			class Shared extends MulticastViewModel {}
			const client = clientOf({ viewModels: { Shared }, maxViewModelsPerConnection: 1 });
			await client.request("Shared$1");
			assert.ok((await client.request("Shared$2"))?.ExceptionType);
		});
	});
});
