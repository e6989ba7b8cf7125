import { type Comparable, comparable, differencesOf, type Tally } from "./comparison.js";
import { protocolOf } from "./frames.js";
import type { IdMap } from "./ids.js";
import type { Received, Script } from "./script.js";
import type { OpenEvent, TraceEvent } from "./trace.js";
import { WebSocketPeer } from "./web-socket-peer.js";

/** What a replay shares with its clients. */
export interface ReplayState {
	readonly ids: IdMap;
	readonly received: Received;
}

/** Where a live client is. */
export interface ClientFacts {
	readonly localPort: number;
	readonly host: string;
	readonly port: number;
}

/** The clients of a trace, against a live server: negotiate, WebSocket, and the recorded frames. */
export class RecordedClients {
	/** The live negotiate answers. */
	readonly negotiations: Comparable[] = [];
	readonly #url: URL;
	readonly #script: Script;
	readonly #state: ReplayState;
	readonly #peers = new Map<number, WebSocketPeer>();
	readonly #connOf = new Map<string, number>();

	constructor(url: string, script: Script, state: ReplayState) {
		this.#url = new URL("/dotnetify", url);
		this.#script = script;
		this.#state = state;
	}

	/** Does what a client did, once all that was recorded before it is there; says what is missing otherwise. */
	async play(at: number, event: TraceEvent): Promise<string | undefined> {
		if (event.leg !== "client" || (event.kind !== "open" && event.direction === "down")) return undefined;
		const missing = await this.#state.received.until(this.#script.countsBefore(at));
		if (missing !== undefined) return `before event ${at + 1} of the trace: ${missing}`;
		const peer = this.#peers.get(event.conn);
		if (event.kind === "open") await this.#open(event);
		else if (event.kind === "close") event.code === 1006 ? peer?.terminate() : peer?.close();
		else if (event.isHandshake) await peer?.shake(event.bytes);
		else peer?.send(this.#state.ids.bytes(event.bytes));
		return undefined;
	}

	/** Where the negotiate answers differ. Ids are others in each run. */
	negotiationDifferences(tally: Tally): string[] {
		const recorded = this.#script.trace.negotiations;
		return recorded.flatMap((answer, at) => {
			const ours = this.negotiations[at] ?? {};
			const { connectionId, connectionToken } = ours;
			const ids = { connectionId, connectionToken };
			return differencesOf({ ...answer, ...ids }, ours, tally, `negotiate ${at}`);
		});
	}

	/** Ends what is still open. */
	close(): void {
		for (const peer of this.#peers.values()) peer.terminate();
	}

	/** Facts of a client by its key (`client 4`) or its live connection id. */
	factsOf(client: string): ClientFacts {
		const peer = this.#peers.get(this.#connOf.get(client) ?? -1);
		return { localPort: peer?.localPort ?? 0, host: this.#url.host, port: Number(this.#url.port) };
	}

	async #open({ conn, connectionId, headers }: OpenEvent): Promise<void> {
		const answer = await fetch(`${this.#url}/negotiate?negotiateVersion=1`, { method: "POST" });
		const negotiated = (await answer.json()) as Comparable;
		this.negotiations.push(negotiated);
		const live = String(negotiated["connectionId"]);
		this.#state.ids.set(connectionId, live);
		this.#connOf.set(live, conn).set(`client ${conn}`, conn);
		const { received } = this.#state;
		const peer = new WebSocketPeer({
			url: `${this.#url}?id=${String(negotiated["connectionToken"])}`.replace("http", "ws"),
			headers: { "user-agent": headers["user-agent"] ?? "" },
			protocol: protocolOf(this.#script.trace.clientProtocol),
			received: (message) => received.add(`client ${conn}`, comparable(message)),
			closed: (code) => code !== 1006 && received.add(`client ${conn}`, { close: code }),
		});
		this.#peers.set(conn, await peer.open());
	}
}
