import type { ExplainedInstance, ExplainedUpstream, InvocationContext } from "../../hub/index.js";
import { vmIdRoot, vmIdRootType } from "../../protocols/index.js";
import { isAboutViewModel } from "../lost-message.js";
import type { AppSession } from "../upstream/app-session.js";
import type { ForwardedClient } from "../upstream/forwarded-client.js";
import type { PickStrategy } from "../upstream/pick.js";
import type { Sessions } from "../upstream/sessions.js";

/** Who would take a call at an upstream. */
export interface PlaceQuery {
	readonly ctx: InvocationContext;
	readonly sessions: Sessions;
	readonly strategy: PickStrategy;
	/** The client that calls, where the upstream knows it. */
	readonly client: ForwardedClient | undefined;
	/** Links of a session. */
	readonly linksOf: (session: AppSession) => number;
}

/** Picks that answer the same however often they are asked. */
const PURE: readonly PickStrategy[] = ["rendezvous", "weighted", "least-connections"];

/** Foretells which instance takes a call, and changes nothing by it. */
export function explainPlace(
	query: PlaceQuery,
): Pick<ExplainedUpstream, "wire" | "instances" | "picked" | "reason"> {
	const { sessions, linksOf } = query;
	const instances = [...sessions].map((session) => instanceOf(session, linksOf(session)));
	if (instances.length === 0) {
		const reason = "Nobody is there: the call waits, for maxWaitMs at most.";
		return { wire: "connecting", instances, picked: undefined, reason };
	}
	const { session, reason } = placeOf(query);
	return { wire: "native", instances, picked: session && shortName(session), reason };
}

/** The name of an instance as it is told. */
export function shortName({ name }: Pick<AppSession, "name">): string {
	return name.slice(0, 8);
}

function instanceOf(session: AppSession, links: number): ExplainedInstance {
	const { url, clients, isDraining } = session;
	return { instance: shortName(session), url, links, clients: clients.size, isDraining };
}

interface Place {
	readonly session?: AppSession | undefined;
	readonly reason: string;
}

function placeOf({ ctx, sessions, strategy, client }: PlaceQuery): Place {
	if (client?.parked)
		return { reason: "The client is on its way to another instance: the call waits for it." };
	const root = sessions.size > 1 ? sharedRootOf(ctx, sessions) : undefined;
	if (root !== undefined)
		return {
			session: sessions.ownerOf(root),
			reason: `It owns the shared view model ${JSON.stringify(root)}.`,
		};
	if (client?.home) return { session: client.home.session, reason: "It is the home of the client." };
	return pickOf(ctx.connectionId, sessions, strategy);
}

function pickOf(connectionId: string, sessions: Sessions, strategy: PickStrategy): Place {
	if (sessions.size === 1) {
		const [session] = sessions;
		if (session?.isDraining)
			return { reason: "The only instance is about to stop: the call waits for another." };
		return { session, reason: "It is the only one." };
	}
	const name = typeof strategy === "string" ? `"${strategy}"` : "of its own";
	if (!PURE.includes(strategy)) return { reason: `The pick ${name} chooses when the client is opened.` };
	if (connectionId === "" && strategy !== "least-connections")
		return { reason: `The pick ${name} chooses by the client's connection id.` };
	return { session: sessions.homeFor(connectionId), reason: `The pick ${name} chooses it for this client.` };
}

function sharedRootOf({ target, args }: InvocationContext, sessions: Sessions): string | undefined {
	const [vmId] = args;
	if (!isAboutViewModel(target) || typeof vmId !== "string") return undefined;
	return sessions.isShared(vmIdRootType(vmId)) ? vmIdRoot(vmId) : undefined;
}
