import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { MEASURED_CORE, OTHER_CORE } from "./children.js";
import { echoTrials } from "./echo.js";
import { fanOutTrials } from "./fan-out.js";
import type { WindowResult } from "./load/job.js";
import type { Sizes } from "./settings.js";
import { startLoad, startSubject } from "./stand.js";
import type { Wire } from "./subject/role.js";
import { ask, type Trial } from "./trial.js";

/** Bytes do not vary: a round of this many milliseconds is as good as a longer one. */
const LONGEST_ROUND_MS = 500;

/** Bytes of TCP payload per message on all links, WebSocket headers and all. */
export interface LinkBytes {
	readonly name: string;
	/** `message`, or `publish` for a fan-out: what one of it costs. */
	readonly unit: "message" | "publish";
	readonly messages: number;
	readonly toAppServer: number;
	readonly fromAppServer: number;
}

/** Passes bytes on and counts them. */
class CountingRelay {
	readonly #target: number;
	readonly #server = createServer((socket) => this.#pass(socket));
	readonly #sockets = new Set<Socket>();
	toTarget = 0;
	fromTarget = 0;

	constructor(target: number) {
		this.#target = target;
	}

	async listen(): Promise<number> {
		this.#server.listen(0, "127.0.0.1");
		await once(this.#server, "listening");
		return (this.#server.address() as AddressInfo).port;
	}

	close(): void {
		this.#server.close();
		for (const socket of this.#sockets) socket.destroy();
	}

	#pass(near: Socket): void {
		const far = connect({ host: "127.0.0.1", port: this.#target });
		for (const [socket, other] of [
			[near, far],
			[far, near],
		] as const) {
			this.#sockets.add(socket.setNoDelay());
			socket.on("error", () => other.destroy());
			socket.on("close", () => this.#sockets.delete(socket));
			socket.pipe(other);
		}
		near.on("data", ({ length }) => {
			this.toTarget += length;
		});
		far.on("data", ({ length }) => {
			this.fromTarget += length;
		});
	}
}

/** Counts what crosses the links; a pass of its own, since counting disturbs. */
export async function measureLinks(sizes: Sizes): Promise<LinkBytes[]> {
	const isLinked = ({ stand }: Trial): boolean => stand === "proxy" || stand === "proxy-dotnetify";
	const smallest = { ...sizes, fanOutClients: sizes.fanOutClients.slice(0, 1) };
	const trials = [...echoTrials(sizes), ...fanOutTrials(smallest)].filter(isLinked);
	const results: LinkBytes[] = [];
	for (const kind of ["proxy", "proxy-dotnetify"] as const) {
		const some = trials.filter(({ stand }) => stand === kind);
		results.push(...(await countBytes(some, sizes, kind === "proxy" ? "native" : "dotnetify")));
	}
	return results;
}

/** Counts what crosses the links of one proxy. */
export async function countBytes(
	trials: readonly Trial[],
	sizes: Sizes,
	wire: Wire = "native",
): Promise<LinkBytes[]> {
	const windowMs = Math.min(sizes.windowMs, LONGEST_ROUND_MS);
	const stops: (() => Promise<void> | void)[] = [];
	try {
		const app = await startSubject("app server", { role: "app-server" }, { core: OTHER_CORE });
		stops.unshift(() => app.child.stop());
		const relay = new CountingRelay(app.port);
		stops.unshift(() => relay.close());
		const appServer = `http://127.0.0.1:${await relay.listen()}`;
		const role = { role: "proxy", appServer, wire } as const;
		const proxy = await startSubject("proxy", role, { core: MEASURED_CORE });
		stops.unshift(() => proxy.child.stop());
		const load = await startLoad();
		stops.unshift(() => load.stop());
		const results: LinkBytes[] = [];
		for (const { name, job } of trials) {
			await ask(load, { kind: "connect", job: { ...job, port: proxy.port, isSpinning: false } });
			const [to, from] = [relay.toTarget, relay.fromTarget];
			const window = { warmUpMs: 0, windowMs, pids: [] };
			const { sent } = (await ask(load, { kind: "measure", window })) as WindowResult;
			results.push({
				...{ name, unit: job.mode === "fan-out" ? "publish" : "message", messages: sent },
				toAppServer: (relay.toTarget - to) / sent,
				fromAppServer: (relay.fromTarget - from) / sent,
			});
			await ask(load, { kind: "close" });
		}
		return results;
	} finally {
		for (const stop of stops) await stop();
	}
}
