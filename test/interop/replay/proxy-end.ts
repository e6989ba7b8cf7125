import { silentLog } from "../../../lib/index.js";
import { type ProxyServer, startProxyServer } from "../../../proxy-server/server.js";
import { type Comparable, contextOf, sequenceDifferences, type Tally } from "./comparison.js";
import { FakeAppServer } from "./fake-app-server.js";
import { protocolOf } from "./frames.js";
import { IdMap } from "./ids.js";
import { RecordedClients } from "./recorded-clients.js";
import { invokeKey, Received, type Script } from "./script.js";
import type { Trace } from "./trace.js";

/** Headers of the hop between client and proxy, which ours does not send on. */
const HOP_BY_HOP = ["Connection", "Upgrade", "Sec-WebSocket-Version", "Sec-WebSocket-Key"];

/** Drives our proxy with a trace's clients, against the trace's app server; returns where it differs. */
export async function replayAtProxy(script: Script, tally: Tally): Promise<string[]> {
	const replay = new ProxyReplay(script, tally);
	try {
		return await replay.run();
	} finally {
		await replay.close();
	}
}

class ProxyReplay {
	readonly #script: Script;
	readonly #tally: Tally;
	readonly #ids = new IdMap();
	readonly #received = new Received();
	readonly #app: FakeAppServer;
	#proxy: ProxyServer | undefined;
	#undeliverable = 0;
	#clients: RecordedClients | undefined;

	constructor(script: Script, tally: Tally) {
		this.#script = script;
		this.#tally = tally;
		const protocol = protocolOf(script.trace.linkProtocol ?? "json");
		this.#app = new FakeAppServer(protocol, (invoke) => this.#invoked(invoke));
	}

	async run(): Promise<string[]> {
		const { events } = this.#script.trace;
		const url = await this.#app.listen();
		this.#proxy = await this.#startProxy(url);
		const clients = new RecordedClients(this.#proxy.listening.url, this.#script, {
			...{ ids: this.#ids, received: this.#received },
		});
		this.#clients = clients;
		const linksUp = linksUpAt(this.#script.trace);
		for (const [at, event] of events.entries()) {
			if (at === linksUp) await this.#app.up();
			const failure = await clients.play(at, event);
			if (failure !== undefined) return [failure, ...this.#compare(clients)];
		}
		const missing = await this.#received.until(this.#script.countsBefore(Infinity));
		await this.#stop();
		return [...(missing === undefined ? [] : [missing]), ...this.#compare(clients)];
	}

	async close(): Promise<void> {
		this.#clients?.close();
		await this.#stop();
		await this.#app.close();
	}

	async #stop(): Promise<void> {
		const proxy = this.#proxy;
		this.#proxy = undefined;
		await proxy?.stop();
		this.#undeliverable += proxy?.hub.counters.snapshot()["undeliverable"] ?? 0;
	}

	#startProxy(url: string): Promise<ProxyServer> {
		const useMessagePack = this.#script.trace.linkProtocol === "msgpack";
		return startProxyServer(
			{
				...{
					port: 0,
					host: "127.0.0.1",
					hubPath: "/dotnetify",
					drainMs: 0,
					closeSpreadMs: 0,
					logLevel: "silent",
					serverId: "replay",
				},
				...{
					chain: [{ urls: [url], connectionPoolSize: 2, useMessagePack }],
					linkSecrets: [],
					tokenSecrets: [],
				},
			},
			silentLog,
		);
	}

	/** Notes a forwarded call; the frames that the recorded app server sent upon the same one go back. */
	#invoked(invoke: Comparable): Buffer[] {
		const id = this.#ids.recorded(invokeKey(invoke).slice("invoke ".length));
		const key = `invoke ${id}`;
		const expected = this.#script.of(key)[this.#received.of(key).length];
		const recorded = expected && contextOf(expected.message)?.["HubId"];
		if (typeof recorded === "string") this.#ids.set(recorded, String(contextOf(invoke)?.["HubId"]));
		this.#received.add(key, invoke);
		return (expected?.answers ?? []).map(({ bytes }) => this.#ids.bytes(bytes));
	}

	#compare(clients: RecordedClients): string[] {
		const { linkNegotiations } = this.#script.trace;
		if (linkNegotiations > 0 && this.#app.requests === 0) this.#tally.meet("link negotiate");
		const keys = new Set([...this.#script.expected.map(({ key }) => key), ...this.#received.keys]);
		const found = [...keys].flatMap((key) => this.#compareOne(key, clients));
		if (this.#undeliverable > 0) found.push(`${this.#undeliverable} messages were undeliverable`);
		return [...clients.negotiationDifferences(this.#tally), ...found];
	}

	#compareOne(key: string, clients: RecordedClients): string[] {
		const recorded = this.#script.of(key).map(({ message }) => this.#ids.value(message) as Comparable);
		const ours = this.#received.of(key);
		const pair = this.#comparablePair(key, recorded, { ours, clients });
		return sequenceDifferences(...pair, this.#tally).map((text) => `${key} ${text}`);
	}

	#comparablePair(
		key: string,
		recorded: readonly Comparable[],
		{ ours, clients }: { readonly ours: readonly Comparable[]; readonly clients: RecordedClients },
	): [readonly Comparable[], readonly Comparable[]] {
		if (key.startsWith("invoke"))
			return [recorded.map((each, at) => this.#liveInvoke(each, ours[at], clients)), ours];
		return this.#script.isRace ? [byType(recorded), byType(ours)] : [recorded, ours];
	}

	/** What a recorded `Invoke` has to look like from our proxy, in a run with other ports, times and ids. */
	#liveInvoke(recorded: Comparable, ours: Comparable | undefined, clients: RecordedClients): Comparable {
		const [method, args, metadata] = recorded["arguments"] as [string, unknown, Comparable];
		const context = this.#liveContext(contextOf(recorded) ?? {}, ours && contextOf(ours), clients);
		const invocationId = ours?.["invocationId"];
		if (recorded["invocationId"] === undefined && typeof invocationId === "string")
			this.#tally.meet("invocationId");
		return {
			...{
				...recorded,
				...(typeof invocationId === "string" ? { invocationId } : { invocationId: "an id" }),
			},
			arguments: [method, args, { ...metadata, $fwdConnContext: context }],
		};
	}

	#liveContext(recorded: Comparable, ours: Comparable | undefined, clients: RecordedClients): Comparable {
		const { localPort, host, port } = clients.factsOf(String(recorded["ConnectionId"]));
		const http = recorded["HttpConnection"] as Comparable;
		const headers = recorded["HttpRequestHeaders"] as { AllHeaders: Comparable };
		return {
			...recorded,
			TimeStamp: this.#timeStamp(recorded["TimeStamp"], ours?.["TimeStamp"]),
			HttpConnection: this.#liveHttp({ ...http, LocalPort: port, RemotePort: localPort }, recorded),
			HttpRequestHeaders: { ...headers, AllHeaders: this.#liveHeaders(headers.AllHeaders, host) },
		};
	}

	#liveHttp(http: Comparable, { ConnectionId }: Comparable): Comparable {
		if (http["ConnectionId"] !== ConnectionId) this.#tally.meet("HttpConnection.ConnectionId");
		return { ...http, ConnectionId };
	}

	#timeStamp(recorded: unknown, ours: unknown): unknown {
		const isTime = (text: unknown): boolean => typeof text === "string" && !Number.isNaN(Date.parse(text));
		if (!isTime(recorded) || !isTime(ours)) return recorded;
		this.#tally.meet("TimeStamp");
		return ours;
	}

	#liveHeaders(recorded: Comparable, host: string): Comparable {
		const kept = Object.entries(recorded).filter(([name]) => !HOP_BY_HOP.includes(name));
		if (kept.length < Object.keys(recorded).length) this.#tally.meet("hop-by-hop headers");
		this.#tally.meet("forwarding headers");
		return {
			...Object.fromEntries(kept),
			...{ Host: [host], Via: ["1.1 replay"], "X-Forwarded-Proto": ["http"], "X-Forwarded-Host": [host] },
		};
	}
}

/** The event before which the links come up: at once, or at the last frame where the recorded ones were that late. */
function linksUpAt({ events }: Trace): number {
	const lastFrame = events.findLastIndex(({ kind, leg }) => leg === "client" && kind === "frame");
	const crossed = events.findIndex(
		(event) => event.kind === "frame" && event.leg === "link" && event.messages.length > 0,
	);
	return crossed < 0 || crossed > lastFrame ? lastFrame : 0;
}

/** Completions and responses apart, each in their order. */
function byType(messages: readonly Comparable[]): Comparable[] {
	return [...messages].sort((a, b) => Number(b["type"] ?? 9) - Number(a["type"] ?? 9));
}
