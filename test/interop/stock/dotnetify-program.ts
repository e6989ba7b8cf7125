// The stock dotnetify client, which wants a browser's globals and brings its own @microsoft/signalr 5, in a process of
// its own: what a page does comes in as IPC messages, what the page would show goes out.
import { createRequire } from "node:module";
import { WebSocket } from "ws";

/** What the page is told to do. */
export type PageAction =
	| { readonly do: "configure"; readonly url: string; readonly hub?: HubSettings }
	| {
			readonly do: "connect";
			readonly vmId: string;
			readonly state?: object;
			readonly options?: ConnectSettings;
	  }
	| { readonly do: "dispatch"; readonly vmId: string; readonly values: object }
	| { readonly do: "dispatchListState"; readonly vmId: string; readonly values: object }
	| { readonly do: "destroy"; readonly vmId: string };

/** What goes into `dotnetify.hubOptions`. */
export interface HubSettings {
	/** Seconds until it tries again, try by try; this goes into `dotnetify.hub`. */
	readonly reconnectDelay?: readonly number[];
	readonly skipNegotiation?: boolean;
	readonly transport?: readonly string[];
}

/** What goes into the options of `dotnetify.connect`. */
export interface ConnectSettings {
	readonly vmArg?: object;
	readonly headers?: object;
	/** Without an exception handler the client throws what the server reports. */
	readonly handlesExceptions?: boolean;
}

/** What the page would show. */
export type PageEvent =
	| { readonly event: "loaded" }
	| { readonly event: "state"; readonly vmId: string; readonly state: Readonly<Record<string, unknown>> }
	| { readonly event: "connection"; readonly state: string; readonly connectionId?: string | undefined }
	| { readonly event: "exception"; readonly vmId: string; readonly name: string; readonly message: string }
	| { readonly event: "trouble"; readonly text: string };

interface StockViewModel {
	$dispatch(values: object): void;
	$dispatchListState(values: object): void;
	$destroy(): void;
}

interface StockDotnetify {
	hubServerUrl: string;
	hubOptions: object;
	hub: {
		readonly _connection?: { readonly connectionId?: string | null } | null;
		reconnectDelay: readonly number[];
	};
	connectionStateHandler: (state: string, exception?: Error) => void;
	connect(vmId: string, options: object): StockViewModel;
}

function tell(event: PageEvent): void {
	process.send?.(event);
}

/** A browser would show these in red. */
function watchForTrouble(): void {
	process.on("unhandledRejection", (reason) =>
		tell({ event: "trouble", text: `unhandledrejection: ${reason}` }),
	);
	process.on("uncaughtException", (error) => tell({ event: "trouble", text: `error: ${error}` }));
	// The client warns of each attempt to connect that fails: no trouble, and noise in a report.
	console.warn = () => {};
	console.error = (...args: unknown[]) =>
		tell({ event: "trouble", text: `console.error: ${args.join(" ")}` });
}

function loadDotnetify(): StockDotnetify {
	Object.assign(globalThis, { window: globalThis, self: globalThis, WebSocket });
	const require = createRequire(import.meta.url);
	const { default: dotnetify } = require("dotnetify/dist/dotnetify") as { default: StockDotnetify };
	dotnetify.connectionStateHandler = (state, exception) => {
		if (exception) tell({ event: "trouble", text: `connection: ${exception}` });
		tell({ event: "connection", state, connectionId: dotnetify.hub._connection?.connectionId ?? undefined });
	};
	return dotnetify;
}

class Page {
	readonly #dotnetify: StockDotnetify;
	readonly #viewModels = new Map<string, StockViewModel>();

	constructor(dotnetify: StockDotnetify) {
		this.#dotnetify = dotnetify;
	}

	perform(action: PageAction): void {
		switch (action.do) {
			case "configure":
				this.#configure(action.url, action.hub);
				return;
			case "connect":
				this.#connect(action.vmId, { ...action.state }, action.options);
				return;
			case "dispatch":
				this.#viewModels.get(action.vmId)?.$dispatch(action.values);
				return;
			case "dispatchListState":
				this.#viewModels.get(action.vmId)?.$dispatchListState(action.values);
				return;
			case "destroy":
				this.#viewModels.get(action.vmId)?.$destroy();
				this.#viewModels.delete(action.vmId);
		}
	}

	#configure(url: string, { reconnectDelay, ...options }: HubSettings = {}): void {
		this.#dotnetify.hubServerUrl = url;
		this.#dotnetify.hubOptions = { ...this.#dotnetify.hubOptions, ...options };
		if (reconnectDelay) this.#dotnetify.hub.reconnectDelay = reconnectDelay;
	}

	#connect(
		vmId: string,
		initial: object,
		{ handlesExceptions = true, ...options }: ConnectSettings = {},
	): void {
		let state: Readonly<Record<string, unknown>> = { ...initial };
		const viewModel = this.#dotnetify.connect(vmId, {
			...options,
			...(handlesExceptions && {
				exceptionHandler: (exception: { name: string; message: string }) =>
					tell({ event: "exception", vmId, ...exception }),
			}),
			getState: () => state,
			setState: (changes: object) => {
				state = { ...state, ...changes };
				tell({ event: "state", vmId, state });
			},
		});
		this.#viewModels.set(vmId, viewModel);
	}
}

watchForTrouble();
const page = new Page(loadDotnetify());
process.on("message", (action: PageAction) => page.perform(action));
process.on("disconnect", () => process.exit(0));
tell({ event: "loaded" });
