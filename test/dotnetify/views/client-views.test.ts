import assert from "node:assert/strict";
import { createViewModelHub, ViewModel, type ViewModelSources } from "../../../lib/dotnetify/index.js";
import { collectingLog, settle } from "../../hub/fakes.js";
import { RecordingClient } from "../recording-client.js";

let log: string[] = [];

abstract class Logged extends ViewModel {
	readonly #name = `${this.constructor.name}${this.instanceId ?? ""}`;
	override onCreated(): void {
		log.push(`created ${this.#name}`);
	}
	override onSubViewModelCreated(viewModel: ViewModel): void {
		log.push(`${this.#name} has ${viewModel.constructor.name}`);
	}
	override onSubViewModelDisposing(viewModel: ViewModel): void {
		log.push(`${this.#name} loses ${viewModel.constructor.name}`);
	}
	override dispose(): void {
		log.push(`disposed ${this.#name}`);
	}
}

class Page extends Logged {
	Title = "page";
}
class List extends Logged {
	Rows = 1;
}
class Details extends Logged {
	Id = 0;
}

function clientOf(viewModels: ViewModelSources = { Page, List, Details }): RecordingClient {
	return new RecordingClient(createViewModelHub({ viewModels, detailedErrors: true }));
}

describe("dotnetify/views/client-views", () => {
	beforeEach(() => {
		log = [];
	});

	it("makes missing masters root to leaf and tells each of what is made inside it", async () => {
		const client = clientOf();
		assert.deepEqual(await client.request("Page.List.Details$7", { $vmArg: { Id: 5, Title: "x" } }), {
			Id: 5,
		});
		assert.deepEqual(log, [
			...["created Page", "created List", "Page has List"],
			...["created Details7", "List has Details"],
		]);
		assert.deepEqual(
			await client.request("Page"),
			{ Title: "page" },
			"arguments are for the requested one only",
		);
		assert.equal(client.responses.length, 2);
	});

	it("disposes what is inside first, longest id first, and nothing whose id only begins alike", async () => {
		const client = clientOf({ Page, List, Details, PageTwo: Page });
		await client.request("Page.List.Details");
		await client.request("PageTwo");
		log = [];
		await client.dispose("Page");
		assert.deepEqual(log, [
			...["List loses Details", "disposed Details", "Page loses List", "disposed List", "disposed Page"],
		]);
		assert.deepEqual(await client.update("PageTwo", { Title: "x" }), []);
	});

	it("disposes everything of a client that is gone, once", async () => {
		const client = clientOf();
		await client.request("Page.List");
		log = [];
		await client.disconnect();
		await client.disconnect();
		assert.deepEqual(log, ["Page loses List", "disposed List", "disposed Page"]);
	});

	it("ignores updates of what was not requested: unknown, disposed, or a master made on the way", async () => {
		const client = clientOf();
		await client.request("Page.List");
		for (const id of ["Page", "Nope", ""]) assert.deepEqual(await client.update(id, { Title: "x" }), []);
		assert.deepEqual(await client.request("Page"), { Title: "page" });
		await client.dispose("Page.List");
		assert.deepEqual(await client.update("Page.List", { Rows: 2 }), []);
	});

	it("names the type that is unknown, and keeps the masters that are there", async () => {
		const client = clientOf();
		await client.request("Page");
		assert.match(String((await client.request("Page.Nope"))?.Message), /'Nope' is not a known view model/);
		assert.match(String((await client.request("Nope.List"))?.Message), /'Nope' is not a known view model/);
		assert.deepEqual(log, ["created Page"]);
	});

	it("lets a master supply what is inside it, with its own client and instance id", async () => {
		class Given extends ViewModel {
			readonly #from: string;
			constructor(from: string) {
				super();
				this.#from = from;
			}
			get Who(): string {
				return `${this.#from} ${this.instanceId} ${this.connection.connectionId}`;
			}
		}
		class Master extends ViewModel {
			override getSubViewModel(type: string, instanceId: string | undefined): ViewModel | undefined {
				return type === "Given" ? new Given(`master for ${instanceId}`) : undefined;
			}
		}
		const client = clientOf({ Master, List });
		const state = await client.request("Master.Given$3");
		assert.equal(state?.Who, `master for 3 3 ${client.id}`);
		assert.deepEqual(await client.request("Master.List"), { Rows: 1 });
	});

	it("disposes what could not be created, and makes it again at the next request", async () => {
		let isBroken = true;
		class Fragile extends Logged {
			override async onCreated(): Promise<void> {
				await Promise.resolve();
				if (isBroken) throw new Error("boom");
			}
		}
		const client = clientOf({ Fragile });
		assert.deepEqual(await client.request("Fragile"), { ExceptionType: "Exception", Message: "boom" });
		assert.deepEqual(log, ["disposed Fragile"]);
		isBroken = false;
		assert.deepEqual(await client.request("Fragile"), {});
	});

	describe("with 100 view models", () => {
		let reads = 0;
		let views: Watched[] = [];
		class Watched extends ViewModel {
			N = 0;
			get Read(): number {
				return ++reads && 1;
			}
			override onCreated(): void {
				views.push(this);
			}
		}
		let client: RecordingClient;

		beforeEach(async () => {
			views = [];
			client = clientOf({ Watched });
			for (let at = 0; at < 100; at++) await client.request(`Watched$${at}`);
			// The requests' last changes, then a turn in which nothing was looked at.
			for (let turn = 0; turn < 2; turn++) await settle();
			client.take();
			reads = 0;
		});

		it("looks at all of them twice for any number of messages in a turn, and loses no change", async () => {
			for (let n = 1; n <= 200; n++) {
				for (const view of views.slice(50)) view.N = n;
				await client.update("Watched$1", { Nope: n });
			}
			await settle();
			assert(reads <= 200 + 2 * 100, `${reads} reads`);
			const data = client.take();
			assert.equal(data.length, 100);
			assert.deepEqual(
				[0, 1].map((at) => data.slice(at * 50, at * 50 + 50).map(({ N }) => N)),
				[Array(50).fill(1), Array(50).fill(200)],
			);
		});

		it("pushes the one that asks at once, and looks at the others twice in a turn", async () => {
			for (const view of views) {
				view.N = 5;
				view.pushUpdates();
				assert.equal(client.responses.at(-1)?.data.N, 5);
			}
			assert.equal(client.take().length, 100);
			const [first] = views;
			assert(first);
			first.N = 6;
			await settle();
			assert.deepEqual(client.take(), [{ N: 6 }], "at the end of the turn");
			assert(reads <= 100 + 2 * 100, `${reads} reads`);
		});

		it("pushes nothing at the end of the turn to a client that is gone", async () => {
			await client.update("Watched$1", { Nope: 1 });
			await client.update("Watched$1", { Nope: 1 });
			for (const view of views) view.N = 7;
			await client.disconnect();
			await settle();
			assert.deepEqual(
				client.take().filter(({ N }) => N !== undefined),
				[],
			);
		});
	});

	it("warns once of a client that runs into a limit, and cuts its ids in the log", async () => {
		const log = collectingLog();
		class Broken extends ViewModel {
			override onCreated(): void {
				throw new Error("x");
			}
		}
		const hub = createViewModelHub({ viewModels: { Broken }, log });
		const client = new RecordingClient(hub);
		for (let at = 0; at < 3; at++) await client.request("B".repeat(257));
		assert.deepEqual(
			log.entries.map(({ level, code }) => [level, code]),
			[
				["warn", "ERR_LIMIT"],
				["debug", "ERR_LIMIT"],
				["debug", "ERR_LIMIT"],
			],
		);
		await client.request(`Broken$${"x".repeat(200)}`);
		assert.equal(log.entries.at(-1)?.level, "error");
		assert.equal(String(log.entries.at(-1)?.vmId).length, 100);
	});

	it("pushes nothing after dispose", async () => {
		let view: Page | undefined;
		class Kept extends Page {
			override onCreated(): void {
				view = this;
			}
		}
		const client = clientOf({ Kept });
		await client.request("Kept");
		client.take();
		if (view) view.Title = "a";
		view?.pushUpdates();
		await client.dispose("Kept");
		if (view) view.Title = "b";
		view?.pushUpdates();
		assert.deepEqual(client.take(), [{ Title: "a" }]);
	});
});
