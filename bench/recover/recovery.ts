import { BenchError, Child } from "../children.js";
import { peakResidentBytes, processTimes } from "../load/process-share.js";
import { startSubject } from "../stand.js";
import { moment } from "../subject/moment.js";
import { HUB_PATH, OWN_HUB_PATH, VIEW_MODEL_PATH } from "../subject/role.js";
import type { CurrentViews, ProbeResult, ProbesRequest, ShowJob, ViewsRequest } from "./job.js";

/** Who shows how much. */
export type Shape = Pick<ShowJob, "clients" | "viewsEach">;

/** What a recovery has cost a process. */
export interface Cost {
	readonly cpuSeconds: number;
	/** Bytes. */
	readonly heapBefore: number;
	readonly heapAfter: number;
	readonly peakResident: number;
}

/** One death of an app server, and what came after it. */
export interface Recovery {
	/** Milliseconds from the first link up until the first view was current, and the last. */
	readonly firstMs: number;
	readonly lastMs: number;
	/** Clients that lost their connection. */
	readonly ended: number;
	/** What calls of others took from the first link up until the last view was current. */
	readonly probes: readonly ProbeResult[];
	readonly proxy: Cost;
	readonly app: Cost;
}

const MISSED = "a recovery without a link is none: the proxy has told of none since the app server died";

/** Kills an app server under views, starts it again, and waits until all are current. Processes are new each time. */
export async function recoverOnce(shape: Shape): Promise<Recovery> {
	const opened: Child[] = [];
	const keep = <Kept extends { readonly child: Child }>(kept: Kept): Kept => {
		opened.push(kept.child);
		return kept;
	};
	try {
		const first = keep(await startSubject("app server", { role: "app-server" }));
		const appServer = `http://127.0.0.1:${first.port}`;
		const proxy = keep(await startSubject("proxy", { role: "proxy", appServer, wire: "native" }));
		const views = await startProgram("views", opened);
		const probes = await startProgram("probes", opened);
		await ask(views, { kind: "show", job: { ...shape, port: proxy.port, path: VIEW_MODEL_PATH } });
		const heaps = await heapsOf(proxy.child, first.child);
		await first.child.kill();
		const diedAt = moment();
		const proxyBefore = processTimes(proxy.child.pid).cpuSeconds;
		await ask(probes, {
			kind: "call",
			doors: [
				{ name: "app server", port: first.port, path: HUB_PATH },
				{ name: "proxy", port: proxy.port, path: OWN_HUB_PATH },
			],
		});
		const again = keep(await startSubject("app server", { role: "app-server", port: first.port }));
		const appBefore = processTimes(again.child.pid).cpuSeconds;
		const current = (await ask(views, { kind: "current", life: again.child.pid })) as CurrentViews;
		const cpuSeconds = [proxyBefore, appBefore].map(
			(before, at) => processTimes((at === 0 ? proxy : again).child.pid).cpuSeconds - before,
		);
		const linkAt = await firstLink(proxy.child, diedAt);
		const answered = (await ask(probes, {
			kind: "results",
			from: linkAt,
			to: current.lastAt,
		})) as ProbeResult[];
		const peaks = [proxy, again].map(({ child }) => peakResidentBytes(child.pid));
		const after = await heapsOf(proxy.child, again.child);
		const cost = (at: number): Cost => ({
			...{ cpuSeconds: cpuSeconds[at] ?? 0, peakResident: peaks[at] ?? 0 },
			...{ heapBefore: heaps[at] ?? 0, heapAfter: after[at] ?? 0 },
		});
		return {
			...{ firstMs: current.firstAt - linkAt, lastMs: current.lastAt - linkAt, ended: current.ended },
			...{ probes: answered, proxy: cost(0), app: cost(1) },
		};
	} finally {
		for (const child of opened.reverse()) await child.stop();
	}
}

async function startProgram(program: "views" | "probes", opened: Child[]): Promise<Child> {
	const child = new Child(program, { program: `recover/${program}`, core: undefined });
	opened.push(child);
	await child.started();
	return child;
}

function ask(child: Child, request: ViewsRequest | ProbesRequest): Promise<unknown> {
	return child.ask(request);
}

async function heapsOf(...children: readonly Child[]): Promise<number[]> {
	const heaps: number[] = [];
	for (const child of children) heaps.push(Number(await child.ask({ kind: "collect" })));
	return heaps;
}

async function firstLink(proxy: Child, since: number): Promise<number> {
	const links = (await proxy.ask({ kind: "links-up" })) as number[];
	const [first] = links.filter((at) => at > since);
	if (first === undefined) throw new BenchError(MISSED);
	return first;
}
