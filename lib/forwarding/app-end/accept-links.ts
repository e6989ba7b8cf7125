import { TrunklineError } from "../../errors/index.js";
import type {
	Acceptor,
	ChannelHandler,
	ClientConnection,
	ConnectionRequest,
	Hub,
	HubExtension,
	LinkStatus,
	MessageChannel,
} from "../../hub/index.js";
import { type HubProtocol, HubTarget } from "../../protocols/index.js";
import { LINK_PROTOCOL } from "../link/link-terms.js";
import { CERTIFICATE_PROOF, LINK_HEADER, ProofChecker } from "../link-proof.js";
import { PROOF_REFUSED } from "../link-terms.js";
import { LinkDesk, linkProtocol } from "../peer/link-desk.js";
import {
	type AcceptLinksOptions,
	type ResolvedAcceptLinksOptions,
	resolveAcceptLinksOptions,
} from "./accept-options.js";
import { LinkEnd } from "./link-end.js";
import { Proxies } from "./proxies.js";
import { RefusalLog } from "./refusal-log.js";

/**
 * Takes links of proxies: `hub.use(acceptLinks({ secrets: [process.env.LINK_SECRET] }))`. Their clients are clients of
 * this hub like any other. A peer that proves no secret, shows no certificate that counts, and stands in no trusted range
 * is a client, for which `Invoke` is an unknown method.
 * @throws TrunklineError ERR_OPTION for a bad option, or where no secret, certificate or trusted range is given.
 */
export function acceptLinks(options: AcceptLinksOptions): HubExtension {
	const resolved = resolveAcceptLinksOptions(options ?? {});
	const { secrets, certificates } = resolved;
	if (secrets.length === 0 && !certificates.isUsed && (options?.trusted ?? []).length === 0) {
		throw new TrunklineError(
			"ERR_OPTION",
			"acceptLinks needs secrets, names of certificates, or trusted address ranges: without one of them no link can ever be taken.",
		);
	}
	return new LinkAcceptance(resolved);
}

class LinkAcceptance implements HubExtension {
	readonly #options: ResolvedAcceptLinksOptions;
	#proxies: Proxies | undefined;
	#desk: LinkDesk | undefined;

	constructor(options: ResolvedAcceptLinksOptions) {
		this.#options = options;
	}

	/** A link's messages are larger than a client's, and each is one frame. */
	get maxFrameBytes(): number {
		return this.#options.maxLinkMessageBytes;
	}

	install(hub: Hub): undefined {
		const proofs = new ProofChecker(this.#options.secrets, hub.clock);
		const proxies = new Proxies(hub, this.#options);
		const desk = new LinkDesk(hub, this.#options, (proof) => proofs.secretOf(proof));
		this.#proxies = proxies;
		this.#desk = desk;
		hub.accept(new LinkAcceptor({ hub, options: this.#options, proofs, proxies, desk }));
	}

	/** Proxies take their clients elsewhere, or keep them until somebody takes our place. */
	async evacuate(): Promise<void> {
		await this.#desk?.evacuate();
	}

	links(): readonly LinkStatus[] {
		return [...(this.#desk?.status() ?? []), ...(this.#proxies?.status() ?? [])];
	}

	async close(): Promise<void> {
		this.#proxies?.dispose();
		await this.#desk?.close();
	}
}

/** The channel of a native link is nobody's: its connection was taken over. */
const NOBODY: ChannelHandler = { message: () => undefined, closed: () => {} };

interface LinkAcceptorParts {
	readonly hub: Hub;
	readonly options: ResolvedAcceptLinksOptions;
	readonly proofs: ProofChecker;
	/** Takes links of dotNetify's wire. */
	readonly proxies: Proxies;
	/** Takes native links. */
	readonly desk: LinkDesk;
}

class LinkAcceptor implements Acceptor {
	readonly target = HubTarget.Invoke;
	readonly #hub: Hub;
	readonly #options: ResolvedAcceptLinksOptions;
	readonly #proxies: Proxies;
	readonly #desk: LinkDesk;
	readonly #proofs: ProofChecker;
	/** With the proof of a secret; undefined where a certificate is the proof. */
	readonly #proven = new WeakMap<MessageChannel, string | undefined>();
	readonly #warned = new WeakSet<MessageChannel>();
	readonly #refusals: RefusalLog;

	constructor({ hub, options, proofs, proxies, desk }: LinkAcceptorParts) {
		this.#hub = hub;
		this.#options = options;
		this.#proxies = proxies;
		this.#desk = desk;
		this.#proofs = proofs;
		this.#refusals = new RefusalLog(hub.clock, hub.log);
	}

	/** Links are no users. One with a proof of ours becomes a link, or is refused in its handshake. */
	exempts(request: ConnectionRequest): boolean {
		const proof = request.headers[LINK_HEADER];
		if (proof === undefined) return false;
		return this.#proofs.secretOf(String(proof)) !== undefined || this.#options.certificates.allows(request);
	}

	/** To anybody else the native link is a protocol that does not exist. */
	protocol(name: string, channel: MessageChannel): HubProtocol | undefined {
		if (name !== LINK_PROTOCOL || !this.#options.nativeLinks) return undefined;
		return this.#proven.has(channel) || this.#trusts(channel) ? linkProtocol : undefined;
	}

	/** A peer that offers a proof wants to be a link: with a wrong one it would be no use as a client either. */
	refuse(channel: MessageChannel): string | undefined {
		const { request } = channel;
		const proof = request.headers[LINK_HEADER];
		if (proof === undefined) return undefined;
		const verdict = proof === CERTIFICATE_PROOF ? "malformed" : this.#proofs.check(String(proof));
		if (verdict === "valid") {
			this.#proven.set(channel, String(proof));
			return undefined;
		}
		if (this.#options.certificates.allows(request)) {
			this.#proven.set(channel, undefined);
			return undefined;
		}
		const cure = "Set LINK_SECRET to the same value here and at the proxy, and keep both clocks right.";
		const why =
			proof === CERTIFICATE_PROOF
				? `: ${this.#options.certificates.refusalOf(request)}.`
				: ` (${verdict}). ${cure}`;
		this.#warn(channel, `A link was refused${why}`);
		return PROOF_REFUSED;
	}

	/** It need not say that it is a link before it does what only links do. */
	#trusts({ request }: MessageChannel): boolean {
		return this.#options.trusts(request.remoteAddress) || this.#options.certificates.allows(request);
	}

	/** A peer that has proven what it is is a link from the start. */
	handshake(channel: MessageChannel): ChannelHandler | undefined {
		if (channel.protocol === linkProtocol) {
			this.#desk.take(channel, this.#proven.get(channel));
			return NOBODY;
		}
		if (this.#proven.has(channel)) return this.#take(channel);
		// Its first Invoke is held to the limit before it can show what it is.
		if (this.#trusts(channel)) channel.maxMessageBytes = this.#options.maxLinkMessageBytes;
		return undefined;
	}

	/** A peer at a trusted address, or with a proxy's certificate, becomes a link by its first `Invoke`. */
	claim(_client: ClientConnection, channel: MessageChannel): ChannelHandler | undefined {
		if (this.#trusts(channel)) return this.#take(channel);
		const why = this.#options.certificates.refusalOf(channel.request);
		this.#warn(
			channel,
			`${HubTarget.Invoke} was refused: the peer proves no LINK_SECRET and is not in LINK_TRUSTED; ${why}.`,
		);
		return undefined;
	}

	/** Counts a refusal; says it now and then, so that nobody fills the log by trying. */
	#warn(channel: MessageChannel, message: string): void {
		this.#hub.counters.add("linkRefusals");
		if (this.#warned.has(channel)) return;
		this.#warned.add(channel);
		const { remoteAddress } = channel.request;
		this.#refusals.tell({ code: "ERR_LINK_REFUSED", remoteAddress }, message);
	}

	#take(channel: MessageChannel): ChannelHandler {
		channel.maxMessageBytes = this.#options.maxLinkMessageBytes;
		channel.connection.maxBufferedBytes = this.#options.maxLinkBufferedBytes;
		return new LinkEnd(this.#hub, channel, this.#proxies);
	}
}
