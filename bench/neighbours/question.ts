import { markdown } from "../report.js";
import type { Sizes } from "../settings.js";
import { type Neighbour, type Phase, Street } from "./street.js";
import { callTable, loadTable, NOBODY, targetTable } from "./tables.js";

const SLOW_OF_STATE: Neighbour = { title: "a slow reader of state", kind: "slow-state" };
const SLOW_OF_EVENTS: Neighbour = { title: "a slow reader of events", kind: "slow-events" };
const FLOODER: Neighbour = { title: "a flooder", kind: "flooder" };
/** What the machine makes of it, without our proxy. */
const PAST: Neighbour = { title: "a flooder past the proxy", kind: "flooder", isPast: true };
const AGAIN: Neighbour = { title: "nobody, again" };

/** In the order of a round. */
const NEIGHBOURS: readonly Neighbour[] = [NOBODY, SLOW_OF_STATE, SLOW_OF_EVENTS, FLOODER, PAST, AGAIN];
const SOME: readonly Neighbour[] = [NOBODY, SLOW_OF_STATE, FLOODER];

/** What clients notice of one beside them that reads slowly or sends too much, and what it takes at the proxy. */
export async function measureNeighbours(sizes: Sizes, say: (line: string) => void): Promise<string> {
	const neighbours = sizes.withAllNeighbours ? NEIGHBOURS : SOME;
	const rounds = new Map<Neighbour, Phase[]>(neighbours.map((neighbour) => [neighbour, []]));
	const street = await Street.open(sizes);
	try {
		for (let round = -sizes.neighbourWarmUps; round < sizes.rounds; round++)
			for (const [neighbour, phases] of rounds) {
				const isWarmUp = round < 0;
				say(`${isWarmUp ? "warm-up" : `round ${round + 1} of ${sizes.rounds}`}: beside ${neighbour.title}`);
				const windowMs = isWarmUp ? sizes.warmUpMs : sizes.neighbourWindowMs;
				const phase = await street.measure(neighbour, { settleMs: sizes.settleMs, windowMs });
				if (!isWarmUp) phases.push(phase);
			}
	} finally {
		await street.close();
	}
	return [
		how(sizes),
		markdown(targetTable(rounds)),
		`### Calls of the others\n\n${markdown(callTable(rounds))}`,
		`### The proxy and its core, and the other core\n\n${markdown(loadTable(rounds))}`,
	].join("\n\n");
}

function how({ neighbours, neighbourPauseMs }: Sizes): string {
	return `${neighbours} clients call an app server through one proxy (\`invoke\`; each every ${neighbourPauseMs} ms, more or less, whether it has its
answers or not); ten call a hub that the proxy answers by itself, and ten the app server without a proxy, every 20 ms. In each round they
have, in turn, beside them: nobody; one client more that reads 1 KB a second and is told 50 times as much, as state (a view model that
changes) and as events (of a group); one that floods: 150-byte messages as fast as its socket takes them, up to 100,000 a second, each in
a frame of its own, one of a hundred answered; the same flooder at the app server itself; nobody again. × is beside what the same calls
took beside nobody in the same round.

Before a slow reader is measured it is told more until something waits for it at the proxy: 200 KiB of state, of which no more than
256 KiB is kept, or 512 KiB of events, which end it at 1 MiB; before that, the system takes some megabytes. MiB more: most resident
memory within the time, and heap and buffers after collections with the slow reader still there, both beside nobody in the same round, of
a process that has had such neighbours before; the target is for the larger one.

What this machine limits: the proxy has core 0, and all others share core 1, so that the flooder also takes time from the app server and
from those who call. That part is not the proxy's; it shows where the flooder is past the proxy, and at the calls that no proxy is part of.
What two equal measurements differ by shows beside "nobody, again". A figure does not count where work of somebody else had more than 10%
of a core.`;
}
