/** A function in a CPU profile. */
export interface Frame {
	readonly functionName: string;
	readonly url: string;
	/** Of the first line 0. */
	readonly lineNumber: number;
}

/** What V8 writes: `node --cpu-prof`, or `Profiler.stop`. */
export interface CpuProfile {
	readonly nodes: readonly {
		readonly id: number;
		readonly callFrame: Frame;
		readonly children?: readonly number[];
	}[];
	/** The node of each sample, and the time since the one before, in microseconds. */
	readonly samples?: readonly number[];
	readonly timeDeltas?: readonly number[];
}

/** Some functions, and their part of the time in which there was something to do. */
export interface ProfileShare {
	readonly name: string;
	/** 0 to 1. */
	readonly share: number;
}

interface Rule {
	readonly group: string;
	readonly url?: RegExp;
	readonly name?: RegExp;
}

/** A longer time between two samples is one in which something else had the core. */
const LONGEST_GAP_US = 2_000;
const IDLE = "(idle)";
const REST = "rest of Node";

/** The first that a function fits is its group; a function that fits none belongs to whoever calls it. */
const RULES: readonly Rule[] = [
	{ group: "garbage collection", name: /^\(garbage collector\)$/ },
	{ group: "native: reads, polls, what has no name", name: /^\(program\)$/ },
	{ group: IDLE, name: /^\(idle\)$/ },
	{
		group: "clients: frames and writes",
		url: /\/lib\/transports\/carriers\/(web-socket|turn)\./,
		name: /^(#?write|writeFrame|frameHeader|send|#?flush|flushAll|flushAtEndOfTurn|#?askForFlush|get bufferedBytes)$/,
	},
	{ group: "clients: receive, above ws", url: /\/lib\/transports\// },
	{ group: "links: socket and its frames", url: /\/lib\/forwarding\/.*link-socket\.|\/ws\/lib\/sender\./ },
	{ group: "links: SignalR's client", url: /\/@microsoft\/signalr/ },
	{ group: "ws receive, clients and links", url: /\/ws\/lib\// },
	{ group: "links: session", url: /\/lib\/forwarding\/session\// },
	{ group: "links: wire", url: /\/lib\/forwarding\/wire\// },
	{ group: "forwarding: the rest of it", url: /\/lib\/forwarding\// },
	{
		group: "encode",
		url: /\/lib\/protocols\/|\/prepared-message\./,
		name: /write|bytesFor|jsonText|plain|formOf/i,
	},
	{ group: "split, peek, parse", url: /\/lib\/protocols\// },
	{ group: "hub: channel", url: /\/lib\/hub\/channel\// },
	{ group: "hub: dispatch and clients", url: /\/lib\/hub\// },
	{ group: "rest of ours", url: /\/(lib|bench)\/(?!.*node_modules)/ },
	{ group: "socket read", url: /^node:/, name: /^onStreamRead$/ },
	{ group: "end of writes", url: /^node:/, name: /^onWriteComplete$/ },
	{ group: "promises and ticks", url: /^node:/, name: /^(processTicksAndRejections|runMicrotasks)$/ },
];

function groupOf({ functionName, url }: Frame): string | undefined {
	return RULES.find((rule) => (rule.url?.test(url) ?? true) && (rule.name?.test(functionName) ?? true))
		?.group;
}

function describe({ functionName, url, lineNumber }: Frame): string {
	const name = functionName === "" ? "(anonymous)" : functionName;
	if (url === "") return name;
	const file = url.replace(/^.*\/node_modules\//, "").replace(/^.*\/dist\//, "");
	return `${name} ${file.replace(/^file:\/\//, "")}:${lineNumber + 1}`;
}

/** Microseconds that each node itself had the processor. */
function selfTimes({ samples = [], timeDeltas = [] }: CpuProfile): Map<number, number> {
	const times = new Map<number, number>();
	samples.forEach((id, index) => {
		// A sample holds until the next one.
		const gap = Math.min(Math.max(0, timeDeltas[index + 1] ?? 0), LONGEST_GAP_US);
		times.set(id, (times.get(id) ?? 0) + gap);
	});
	return times;
}

/** The group of each node: its own function's, or that of the nearest caller that has one. */
function groupsOf({ nodes }: CpuProfile): Map<number, string> {
	const groups = new Map<number, string>();
	const callers = new Map(nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id])));
	// A caller stands before those whom it calls.
	for (const { id, callFrame } of nodes) {
		const caller = callers.get(id);
		const inherited = caller === undefined ? undefined : groups.get(caller);
		groups.set(id, groupOf(callFrame) ?? inherited ?? REST);
	}
	return groups;
}

/** Where the time went, by group and by function, the most first. Time without work is left out. */
export function sharesOf(profile: CpuProfile): {
	readonly groups: ProfileShare[];
	readonly functions: ProfileShare[];
} {
	const [times, nodeGroups] = [selfTimes(profile), groupsOf(profile)];
	const [groups, functions] = [new Map<string, number>(), new Map<string, number>()];
	let whole = 0;
	for (const { id, callFrame } of profile.nodes) {
		const [time, group] = [times.get(id) ?? 0, nodeGroups.get(id) ?? REST];
		if (time === 0 || group === IDLE) continue;
		whole += time;
		groups.set(group, (groups.get(group) ?? 0) + time);
		const name = describe(callFrame);
		functions.set(name, (functions.get(name) ?? 0) + time);
	}
	const ordered = (found: ReadonlyMap<string, number>): ProfileShare[] =>
		[...found].map(([name, time]) => ({ name, share: time / whole })).sort((a, b) => b.share - a.share);
	return { groups: ordered(groups), functions: ordered(functions) };
}
