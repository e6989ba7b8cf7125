import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { compileFunction } from "node:vm";

type State = Readonly<Record<string, unknown>>;

interface StockModule {
	exports: { readonly default?: { connect(vmId: string, options: object): object } };
}

interface StockHub {
	connect(vmId: string, options: object): { $update(text: string): void };
}

/** The stock client's own code, which wants a browser's globals: it gets them as parameters, so that nobody else sees them. */
function loadStock(): StockHub {
	const require = createRequire(import.meta.url);
	const path = require.resolve("dotnetify/dist/dotnetify");
	const module: StockModule = { exports: {} };
	// It finds "view models" of a page itself here, and then needs no server.
	const window = { Page: { onConnect: () => ({}) } };
	const quiet = { ...console, error: () => {}, log: () => {} };
	const names = ["module", "exports", "require", "window", "self", "console"];
	const run = compileFunction(readFileSync(path, "utf8"), names) as (...values: unknown[]) => void;
	run(module, module.exports, createRequire(path), window, window, quiet);
	return module.exports.default as StockHub;
}

/** One for all: the client keeps listeners of each that was ever connected. */
let stock: { $update(text: string): void } | undefined;
let showing: StockViewModel | undefined;

function connect(): { $update(text: string): void } {
	return loadStock().connect("Page", {
		getState: () => showing?.state,
		setState: (changes: State) => showing?.show(changes),
	});
}

/** A view model in the stock client, without a connection: it is given what a server would send, a full state first. */
export class StockViewModel {
	#state: State = {};

	/** What the page shows. */
	get state(): State {
		return this.#state;
	}

	/** Called by the client. */
	show(changes: State): void {
		this.#state = { ...this.#state, ...changes };
	}

	/** Takes a state or changes, as JSON. */
	take(text: string): void {
		showing = this;
		stock ??= connect();
		stock.$update(text);
	}
}
