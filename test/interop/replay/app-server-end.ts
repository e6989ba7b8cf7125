import { ManualClock } from "../../../lib/base/index.js";
import { createViewModelHub } from "../../../lib/dotnetify/index.js";
import { type AcceptLinksOptions, acceptLinks } from "../../../lib/forwarding/index.js";
import { createServer, type Hub, type Server } from "../../../lib/index.js";
import { createRecordedViewModels } from "../../dotnetify/recorded-view-models.js";
import { type Comparable, comparable, contextOf, sequenceDifferences, type Tally } from "./comparison.js";
import { FakeProxy } from "./fake-proxy.js";
import { IdMap } from "./ids.js";
import { RecordedClients } from "./recorded-clients.js";
import { Received, responseOf, type Script } from "./script.js";
import type { FrameEvent, TraceEvent } from "./trace.js";

/** How much after a recorded push the replay's clock is, so that our timer has fired too: half of the ticker's interval. */
const TIMER_SLACK_MS = 50;

/** The key of the clients whose end the hub has told. */
const ENDED = "ended";

/** Our app server with the recorded view models, on the clock of a trace. */
class RecordedAppServer {
	readonly #clock = new ManualClock();
	readonly #server: Server;
	readonly #hub: Hub;

	constructor(links: AcceptLinksOptions, received: Received) {
		const viewModels = createRecordedViewModels(this.#clock);
		const hub = createViewModelHub({ viewModels, detailedErrors: true });
		hub.use(acceptLinks(links));
		hub.on("disconnected", ({ connectionId }, { kind }) => {
			// A link at a trusted address was a client until its first Invoke.
			if (kind !== "migrated") received.add(ENDED, { connectionId });
		});
		this.#hub = hub as unknown as Hub;
		this.#server = createServer().map("/dotnetify", hub);
	}

	async listen(): Promise<string> {
		return (await this.#server.listen(0, "127.0.0.1")).url;
	}

	/** Moves the view models' time to that of an event. */
	reach(event: TraceEvent): void {
		const isPush = event.kind === "frame" && event.messages.map(comparable).some((each) => responseOf(each));
		this.#clock.advance(Math.max(0, event.t + (isPush ? TIMER_SLACK_MS : 0) - this.#clock.now()));
	}

	/** What is left when all clients are gone, and must not be. */
	get leftovers(): string[] {
		const { undeliverable = 0 } = this.#hub.counters.snapshot();
		return [
			...(undeliverable > 0 ? [`${undeliverable} messages were undeliverable`] : []),
			...(this.#clock.pending > 0 ? [`${this.#clock.pending} timers of view models are left`] : []),
		];
	}

	close(): Promise<void> {
		return this.#server.close();
	}
}

/** Plays a trace's proxy against our app server; returns where its answers differ. */
export async function replayAtAppServer(script: Script, tally: Tally): Promise<string[]> {
	const received = new Received();
	const app = new RecordedAppServer({ trusted: ["127.0.0.1/32"] }, received);
	const proxy = new FakeProxy(await app.listen(), script.trace, received);
	const found: string[] = [];
	try {
		await proxy.open();
		for (const [at, event] of script.trace.events.entries()) {
			if (event.leg !== "link") continue;
			const missing = await received.until(script.countsBefore(at));
			if (missing !== undefined) found.push(`before event ${at + 1} of the trace: ${missing}`);
			if (missing !== undefined) break;
			app.reach(event);
			if (event.kind === "frame" && event.direction === "up" && !event.isHandshake) await send(proxy, event);
		}
		await proxy.drained("replay");
		const ended = endedBy(script);
		await received.until(new Map([[ENDED, ended.length]]));
		found.push(...sequenceDifferences(ended, received.of(ENDED), tally).map((text) => `${ENDED} ${text}`));
		found.push(...app.leftovers);
	} finally {
		proxy.close();
		await app.close();
	}
	const expected = script.of("link").map(({ message }) => message);
	return [...found, ...sequenceDifferences(expected, received.of("link"), tally)];
}

/** The clients of the recorded proxy that end here: those that anything came of before. */
function endedBy({ calls }: Script): Comparable[] {
	const open = new Set<unknown>();
	const ended: Comparable[] = [];
	for (const { message } of calls) {
		const connectionId = contextOf(message)?.["ConnectionId"];
		const [method] = message["arguments"] as readonly unknown[];
		if (method !== "OnDisconnectedAsync") open.add(connectionId);
		else if (open.delete(connectionId)) ended.push({ connectionId });
	}
	return ended;
}

/** Each message of a frame is waited for, so that the order between two links is the recorded one. */
async function send(proxy: FakeProxy, { conn, bytes, messages }: FrameEvent): Promise<void> {
	proxy.send(conn, bytes);
	for (const message of messages) {
		const call = comparable(message);
		const context = contextOf(call);
		const [method] = call["arguments"] as readonly unknown[];
		if (context && method !== "OnDisconnectedAsync") await proxy.processed(conn, JSON.stringify(context));
	}
}

/** Plays a trace's clients against our app server itself; returns where its answers differ. */
export async function replayDirect(script: Script, tally: Tally): Promise<string[]> {
	const state = { received: new Received(), ids: new IdMap() };
	const app = new RecordedAppServer({ secrets: ["a secret that no client knows"] }, state.received);
	const clients = new RecordedClients(await app.listen(), script, state);
	const found: string[] = [];
	try {
		for (const [at, event] of script.trace.events.entries()) {
			const missing = await state.received.until(script.countsBefore(at));
			if (missing !== undefined) found.push(`before event ${at + 1} of the trace: ${missing}`);
			if (missing !== undefined) break;
			app.reach(event);
			await clients.play(at, event);
		}
		const opened = script.trace.events.filter(({ kind }) => kind === "open").length;
		const missing = await state.received.until(script.countsBefore(Infinity).set(ENDED, opened));
		found.push(...(missing === undefined ? [] : [missing]), ...app.leftovers);
	} finally {
		clients.close();
		await app.close();
	}
	found.push(...clients.negotiationDifferences(tally));
	const keys = new Set([...script.expected.map(({ key }) => key), ...state.received.keys]);
	keys.delete(ENDED);
	for (const key of keys) {
		const port = clients.factsOf(key).localPort;
		const expected = script.of(key).map(({ message }) => withPort(state.ids.value(message), port, tally));
		const different = sequenceDifferences(expected, state.received.of(key), tally);
		found.push(...different.map((text) => `${key} ${text}`));
	}
	return found;
}

/** A client's port is another one in each run. */
function withPort(message: unknown, port: number, tally: Tally): Comparable {
	const text = JSON.stringify(message);
	const live = text.replace(/127\.0\.0\.1:\d+ from/, `127.0.0.1:${port} from`);
	if (live !== text) tally.meet("client port");
	return JSON.parse(live) as Comparable;
}
