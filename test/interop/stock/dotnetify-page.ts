import assert from "node:assert/strict";
import { type ChildProcess, fork } from "node:child_process";
import { EventEmitter, once } from "node:events";
import { fileURLToPath } from "node:url";
import type { ConnectSettings, HubSettings, PageAction, PageEvent } from "./dotnetify-program.js";

type State = Readonly<Record<string, unknown>>;

/** This file is run as it stands, or compiled. */
const EXTENSION = import.meta.url.endsWith(".ts") ? "ts" : "js";
const PROGRAM = fileURLToPath(new URL(`./dotnetify-program.${EXTENSION}`, import.meta.url));

/** A page with the stock dotnetify client, in a process of its own. */
export class DotnetifyPage {
	/** Everything that the page was told and showed. */
	readonly events: PageEvent[] = [];
	readonly #process: ChildProcess;
	readonly #news = new EventEmitter().setMaxListeners(0);

	private constructor(child: ChildProcess) {
		this.#process = child;
		child.on("message", (event: PageEvent) => {
			this.events.push(event);
			this.#news.emit("event");
		});
	}

	static async open(url: string, hub?: HubSettings): Promise<DotnetifyPage> {
		const page = new DotnetifyPage(fork(PROGRAM, { stdio: ["ignore", "ignore", "inherit", "ipc"] }));
		await page.until(({ event }) => event === "loaded");
		page.#perform({ do: "configure", url, ...(hub && { hub }) });
		return page;
	}

	connect(vmId: string, options?: ConnectSettings & { readonly state?: object }): void {
		const { state = {}, ...settings } = options ?? {};
		this.#perform({ do: "connect", vmId, state, options: settings });
	}

	dispatch(vmId: string, values: object): void {
		this.#perform({ do: "dispatch", vmId, values });
	}

	dispatchListState(vmId: string, values: object): void {
		this.#perform({ do: "dispatchListState", vmId, values });
	}

	destroy(vmId: string): void {
		this.#perform({ do: "destroy", vmId });
	}

	/** The newest state of a view model; empty before the first one. */
	shown(vmId: string): State {
		const last = this.events.findLast((event) => event.event === "state" && event.vmId === vmId);
		return last?.event === "state" ? last.state : {};
	}

	/** Waits until a view model shows what `matches` wants to see. */
	async shows(vmId: string, matches: (state: State) => boolean): Promise<State> {
		while (!matches(this.shown(vmId))) await once(this.#news, "event");
		return this.shown(vmId);
	}

	/** The first event from now on, or from `since` on, that matches. */
	async until(matches: (event: PageEvent) => boolean, since = 0): Promise<PageEvent> {
		for (;;) {
			const found = this.events.slice(since).find(matches);
			if (found) return found;
			await once(this.#news, "event");
		}
	}

	/** Waits for a state of the connection, from `since` on. */
	async connection(state: string, since = 0): Promise<PageEvent & { readonly event: "connection" }> {
		const found = await this.until((event) => event.event === "connection" && event.state === state, since);
		return found as PageEvent & { readonly event: "connection" };
	}

	/** The exceptions that the handlers of the page's view models got. */
	get exceptions(): readonly (PageEvent & { readonly event: "exception" })[] {
		return this.events.filter((event) => event.event === "exception");
	}

	/** What a browser's console would show in red: unhandled rejections, errors. */
	get troubles(): readonly string[] {
		return this.events.flatMap((event) => (event.event === "trouble" ? [event.text] : []));
	}

	/** Forgets the troubles so far, which were expected, and returns them. */
	forgive(): readonly string[] {
		const { troubles } = this;
		for (const text of troubles) {
			this.events.splice(
				this.events.findIndex((event) => event.event === "trouble" && event.text === text),
				1,
			);
		}
		return troubles;
	}

	/** Ends the page and fails where anything went wrong in it that nobody expected. */
	async close(): Promise<void> {
		const { connected } = this.#process;
		if (connected) {
			const end = once(this.#process, "exit");
			this.#process.disconnect();
			await end;
		}
		assert.deepEqual(this.troubles, []);
	}

	#perform(action: PageAction): void {
		this.#process.send(action);
	}
}
