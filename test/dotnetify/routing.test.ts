import assert from "node:assert/strict";
import { createViewModelHub, RoutableViewModel } from "../../lib/dotnetify/index.js";
import { RecordingClient } from "./recording-client.js";

class Store extends RoutableViewModel {
	Log: string[] = [];
	constructor() {
		super();
		this.registerRoutes("examples/store", [
			{ Id: "Home", UrlPattern: "", ViewUrl: "HomeView" },
			{ Id: "Book", UrlPattern: "book(/:title)", Target: "panel" },
			{ Id: "Item", UrlPattern: "item/:id" },
		]);
	}
	get Links(): object[] {
		return [
			this.getRoute("Home"),
			this.getRoute("Book"),
			this.getRoute("Item"),
			this.getRoute("Book", "book/x"),
		];
	}
	get Elsewhere(): object {
		return this.redirect("other", "page");
	}
	override onActivated(path: string | null): void {
		this.Log.push(`activated ${path}`);
	}
	override onRouted(from: string | null): void {
		this.Log.push(`routed ${from}`);
	}
}

describe("dotnetify/routing", () => {
	it("writes templates, links and paths as dotNetify does", async () => {
		const client = new RecordingClient(createViewModelHub({ viewModels: { Store } }));
		const state = await client.request("Store", { $vmArg: { "RoutingState.Origin": "book/x" } });
		assert.deepEqual(state?.RoutingState, {
			Templates: [
				{ Id: "Home", Root: null, UrlPattern: "", ViewUrl: "HomeView", JSModuleUrl: null, Target: null },
				{
					Id: "Book",
					Root: null,
					UrlPattern: "book(/:title)",
					ViewUrl: null,
					JSModuleUrl: null,
					Target: "panel",
				},
				{ Id: "Item", Root: null, UrlPattern: "item/:id", ViewUrl: null, JSModuleUrl: null, Target: null },
			],
			...{ Root: "examples/store", Active: null, Origin: "book/x" },
		});
		assert.deepEqual(state.Links, [
			{ TemplateId: "Home", Path: "", RedirectRoot: null },
			{ TemplateId: "Book", Path: "book", RedirectRoot: null },
			{ TemplateId: "Item", Path: "item", RedirectRoot: null },
			{ TemplateId: "Book", Path: "book/x", RedirectRoot: null },
		]);
		assert.deepEqual(state.Elsewhere, { TemplateId: null, Path: "page", RedirectRoot: "other" });
	});

	it("runs onRouted for the origin and onActivated for the client's moves, which are not echoed", async () => {
		const client = new RecordingClient(createViewModelHub({ viewModels: { Store } }));
		const state = await client.request("Store", { $vmArg: { "RoutingState.Origin": "book/x" } });
		assert.deepEqual(state?.Log, ["routed book/x"]);
		assert.deepEqual(await client.update("Store", { "RoutingState.Active": "item/5" }), [
			{ Log: ["routed book/x", "activated item/5"] },
		]);
	});

	it("does not let clients write a view model's routes", async () => {
		const client = new RecordingClient(createViewModelHub({ viewModels: { Store } }));
		await client.request("Store");
		await client.update("Store", { "RoutingState.registerRoutes": 1, "RoutingState.New": 1 });
		const { RoutingState } = (await client.request("Store")) as { RoutingState: object };
		assert.deepEqual(Object.keys(RoutingState), ["Templates", "Root", "Active", "Origin"]);
	});
});
