import { settledWithin } from "../../base/index.js";
import type { TrunklineError } from "../../errors/index.js";
import { Heartbeat, type Hub, type LinkStatus, type MessageChannel } from "../../hub/index.js";
import { type HubProtocol, LengthSplitter } from "../../protocols/index.js";
import type { ResolvedAcceptLinksOptions } from "../app-end/accept-options.js";
import { RefusalLog } from "../app-end/refusal-log.js";
import {
	answerProof,
	checkHello,
	NEW_SESSION_FEATURE,
	NO_SESSION,
	newLinkId,
} from "../link/link-greeting.js";
import {
	ADMITS_FEATURE,
	DRAINED_FEATURE,
	LINK_PING_MS,
	LINK_PROTOCOL,
	REOPEN_FEATURE,
	sharedFeatures,
} from "../link/link-terms.js";
import { LinkLife } from "../observing/link-life.js";
import { type ResolvedSessionOptions, resolveSessionOptions } from "../session/index.js";
import { ByeCode, type Hello, LINK_VERSIONS, writeByeSegment } from "../wire/index.js";
import { LoadReports } from "./load-reports.js";
import { PeerLink, type PeerLinkHost } from "./peer-link.js";
import { ProxySession, type ProxySessionHost } from "./proxy-session.js";

/**
 * The native link as a hub protocol: it stands in the handshake, and then the connection leaves the hub's hands before
 * anything is read or written by it.
 */
export const linkProtocol: HubProtocol = {
	name: LINK_PROTOCOL,
	transferFormat: "Binary",
	createSplitter: () => new LengthSplitter(Number.POSITIVE_INFINITY),
	parse: () => undefined,
	// All that a hub says to a link by itself is that it closes.
	write: () => writeByeSegment(ByeCode.Done, "The hub is closing."),
};

/** Takes native links, and keeps the sessions that they belong to. */
export class LinkDesk {
	readonly #hub: Hub;
	readonly #options: ResolvedAcceptLinksOptions;
	readonly #sessionOptions: ResolvedSessionOptions;
	readonly #instance = newLinkId();
	readonly #heartbeat: Heartbeat;
	readonly #features: readonly string[];
	readonly #sessions = new Map<string, ProxySession>();
	readonly #loads: LoadReports;
	readonly #refusals: RefusalLog;
	#versionToldAt: number | undefined;
	readonly #links = new Map<PeerLink, LinkLife>();
	readonly #secretOf: (proof: string) => string | undefined;
	readonly #linkHost: PeerLinkHost;
	readonly #sessionHost: ProxySessionHost;

	/** `secretOf` finds the secret that a proof was made with. */
	constructor(
		hub: Hub,
		options: ResolvedAcceptLinksOptions,
		secretOf: (proof: string) => string | undefined,
	) {
		this.#hub = hub;
		this.#options = options;
		this.#secretOf = secretOf;
		this.#sessionOptions = resolveSessionOptions({
			sessionTimeoutMs: options.proxyGraceMs,
			windowBytes: options.windowBytes,
			maxWaitingBytes: options.maxLinkBufferedBytes,
		});
		this.#features = featuresOf(hub);
		this.#heartbeat = new Heartbeat(hub.clock, LINK_PING_MS);
		this.#loads = new LoadReports(hub.clock, () => hub.lifetime.size);
		this.#refusals = new RefusalLog(hub.clock, hub.log);
		this.#linkHost = this.#makeLinkHost();
		this.#sessionHost = this.#makeSessionHost();
	}

	/** The sessions as they are now. */
	status(): readonly LinkStatus[] {
		return [...this.#sessions.values()].map((session) => session.status);
	}

	/** Takes a peer's connection over, right after its handshake. */
	take(channel: MessageChannel, proof: string | undefined): void {
		const { connection, rest } = channel.detach();
		connection.maxBufferedBytes = this.#options.maxLinkBufferedBytes;
		const link = new PeerLink(connection, proof, this.#linkHost);
		const peer = connection.request.remoteAddress;
		this.#links.set(link, new LinkLife(this.#hub, { role: "app", wire: "native", peer }));
		this.#heartbeat.add(link);
		connection.listen(link);
		link.begin(rest);
	}

	/** Asks all proxies to take their clients elsewhere; resolves when they have. */
	async evacuate(): Promise<void> {
		await Promise.all([...this.#sessions.values()].map((session) => session.evacuate()));
	}

	/** Lets proxies have what is on its way, up to `flushTimeoutMs`, and ends all sessions. */
	async close(): Promise<void> {
		const sessions = [...this.#sessions.values()];
		const connected = sessions.filter(({ stream }) => stream.session.links > 0);
		const settled = connected.map(({ stream }) => stream.settled());
		if (settled.length > 0) {
			await settledWithin(this.#hub.clock, this.#options.flushTimeoutMs, Promise.all(settled));
		}
		for (const session of sessions) session.stream.end("closed");
		for (const link of this.#links.keys()) link.end(ByeCode.SessionOver, "The app server stops.");
	}

	#makeLinkHost(): PeerLinkHost {
		return {
			clock: this.#hub.clock,
			hello: (link) => this.#hello(link),
			sessionFor: (link, hello) => this.#sessionFor(link, hello),
			closed: (link, error) => this.#closed(link, error),
		};
	}

	#makeSessionHost(): ProxySessionHost {
		const { maxWaitingPerClient, maxWaitingBytesPerClient, maxClientsPerProxy, windowBytes } = this.#options;
		return {
			hub: this.#hub,
			options: this.#sessionOptions,
			inboxLimits: {
				...{ maxMessages: maxWaitingPerClient, maxBytes: maxWaitingBytesPerClient },
				maxLateBytes: windowBytes,
			},
			maxClients: maxClientsPerProxy,
			full: (remoteAddress) => {
				const text = `A proxy has as many clients here as it may (${maxClientsPerProxy}, maxClientsPerProxy): more are refused.`;
				this.#refusals.tell({ code: "ERR_LIMIT", remoteAddress }, text);
			},
			closeLink: (session, place, incarnation, error) => {
				for (const link of this.#links.keys()) {
					if (link.session !== session || link.port?.link !== place) continue;
					if (link.port.incarnation === incarnation) link.refuse(error);
				}
			},
			ended: (session) => this.#ended(session),
		};
	}

	#hello({ proof }: PeerLink): Hello {
		const features = [...this.#features];
		const secret = proof === undefined ? undefined : this.#secretOf(proof);
		if (secret !== undefined && proof !== undefined) features.push(answerProof(secret, proof));
		return {
			...{ versions: LINK_VERSIONS, role: "app", instance: this.#instance, session: NO_SESSION },
			...{ link: 0, incarnation: 1, delivered: 0, window: this.#sessionOptions.windowBytes, features },
		};
	}

	#sessionFor({ connection }: PeerLink, hello: Hello): ProxySession | undefined {
		checkHello(hello, "proxy");
		const id = hello.session.toString("hex");
		const instance = hello.instance.toString("hex");
		const known = this.#sessions.get(id);
		if (known) return known.instance === instance ? known : undefined;
		if (!hello.features.includes(NEW_SESSION_FEATURE) || this.#hub.isClosing) return undefined;
		// The proxy has given its former session up, whether we have noticed or not.
		for (const session of this.#sessions.values())
			if (session.instance === instance) session.stream.end("restarted");
		const { remoteAddress } = connection.request;
		const answersDrain = hello.features.includes(DRAINED_FEATURE);
		const session = new ProxySession(this.#sessionHost, { instance, id, peer: remoteAddress, answersDrain });
		// Our HELLO has granted a whole window already, before it was known for which session.
		session.stream.session.greeting();
		this.#sessions.set(id, session);
		this.#loads.add(session);
		this.#hub.log.info({ proxy: instance.slice(0, 8), remoteAddress }, "A proxy has a session here.");
		return session;
	}

	#ended(session: ProxySession): void {
		this.#sessions.delete(session.id);
		this.#loads.remove(session);
		for (const link of this.#links.keys())
			if (link.session === session) link.end(ByeCode.SessionOver, "The session is over.");
	}

	#closed(link: PeerLink, error: TrunklineError | undefined): void {
		const life = this.#links.get(link);
		this.#links.delete(link);
		this.#heartbeat.remove(link);
		if (error) life?.failed(error);
		else if (link.isEnding) life?.closing();
		life?.down();
		if (error?.code === "ERR_LINK_VERSION") this.#tellVersion(link, error);
		if (error?.code !== "ERR_LINK_PROTOCOL") return;
		this.#hub.counters.add("linkProtocolErrors");
		this.#hub.report({ code: error.code, reason: error.message });
	}

	/** It tries again and again: once a minute is enough. */
	#tellVersion({ connection }: PeerLink, { code, message }: TrunklineError): void {
		const now = this.#hub.clock.elapsed();
		this.#hub.counters.add("linkRefusals");
		if (this.#versionToldAt !== undefined && now - this.#versionToldAt < 60_000) return;
		this.#versionToldAt = now;
		const { remoteAddress } = connection.request;
		this.#hub.log.warn({ code, remoteAddress, reason: message }, "A proxy's link is refused.");
	}
}

/** What an app server names to every proxy. */
function featuresOf({ options, log }: Hub): string[] {
	const features = options.recovery === "reopen" ? [REOPEN_FEATURE] : [];
	if (options.transport.authenticate) features.push(ADMITS_FEATURE);
	const shared = sharedFeatures(options.sharedTypes);
	if (shared) return [...features, ...shared];
	const types = options.sharedTypes.length;
	log.warn(
		{ types },
		"More shared view models, or longer names, than a link can tell of (61 of 249 bytes): replicas would not share them.",
	);
	return features;
}
