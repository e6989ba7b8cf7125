import type { Hub, LinkStatus } from "../../hub/index.js";
import type { AppSession } from "../upstream/app-session.js";
import type { RemoteClient } from "../upstream/remote-client.js";
import { shortName } from "./explained-place.js";
import { countersOf, Recovery } from "./link-life.js";

/** An upstream beside its sessions. */
export interface UpstreamStand {
	readonly name: string;
	/** Clients that it knows. */
	readonly clients: number;
	/** Messages that wait for a session, and their bytes. */
	readonly queued: number;
	readonly queuedBytes: number;
}

/** An upstream's sessions as they are now; one entry without an instance where there is none. */
export function statusOf(
	sessions: Iterable<AppSession>,
	{ name, clients, queued, queuedBytes }: UpstreamStand,
	linksOf: (session: AppSession) => number,
): readonly LinkStatus[] {
	const [first, ...others] = [...sessions].map((session) => sessionStatus(session, linksOf(session)));
	if (first) {
		const all = { queued: first.queued + queued, queuedBytes: first.queuedBytes + queuedBytes };
		return [{ ...first, ...all }, ...others];
	}
	const nobody = {
		...{ instance: undefined, links: 0, held: 0, isDraining: false },
		...{ load: undefined, counters: undefined },
	};
	return [{ role: "proxy", wire: "native", peer: name, ...nobody, clients, queued, queuedBytes }];
}

function sessionStatus(session: AppSession, links: number): LinkStatus & { readonly queuedBytes: number } {
	const { life, clients, isDraining, load, stream, waiting: queued, waitingBytes: queuedBytes } = session;
	return {
		...{ ...life.facts, instance: shortName(session), links, clients: clients.size, held: life.held },
		...{ queued, queuedBytes, isDraining, load, counters: countersOf(stream.session.counters) },
	};
}

/** Clients whose session is over are to be opened again: it is told when all are. */
export function recover(hub: Hub, { life }: AppSession, remotes: readonly RemoteClient[]): void {
	const clients = remotes.flatMap(({ client }) => (client.home || client.hasEnded ? [] : client));
	if (clients.length === 0) return;
	const recovery = new Recovery(hub, life.facts, clients.length);
	for (const client of clients) {
		client.recovery?.left();
		client.recovery = recovery;
	}
}

/** The links of dotNetify's wire to one app server as they are now, which know little of what is behind them. */
export function dotNetifyStatus(
	peer: string,
	{
		links,
		clients,
		waiting: queued,
	}: { readonly links: number; readonly clients: number; readonly waiting: number },
): LinkStatus {
	return {
		...{ role: "proxy", wire: "dotnetify", peer, links, clients, queued },
		...{ instance: undefined, held: 0, queuedBytes: undefined },
		...{ isDraining: false, load: undefined, counters: undefined },
	};
}
