import { TrunklineError } from "../errors/index.js";
import type {
	Acceptor,
	ChannelHandler,
	ClientConnection,
	Hub,
	HubExtension,
	MessageChannel,
} from "../hub/index.js";
import { HubTarget } from "../protocols/index.js";
import {
	type AcceptLinksOptions,
	type ResolvedAcceptLinksOptions,
	resolveAcceptLinksOptions,
} from "./accept-options.js";
import { LinkEnd } from "./link-end.js";
import { LINK_HEADER, ProofChecker } from "./link-proof.js";
import { Proxies } from "./proxies.js";

/**
 * Takes links of proxies: `hub.use(acceptLinks({ secrets: [process.env.LINK_SECRET] }))`. Their clients are clients of
 * this hub like any other. A peer that proves no secret and stands in no trusted range is a client, for which `Invoke`
 * is an unknown method.
 * @throws TrunklineError ERR_OPTION for a bad option, or where neither a secret nor a trusted range is given.
 */
export function acceptLinks(options: AcceptLinksOptions): HubExtension {
	const resolved = resolveAcceptLinksOptions(options);
	if (resolved.secrets.length === 0 && (options.trusted ?? []).length === 0) {
		throw new TrunklineError(
			"ERR_OPTION",
			"acceptLinks needs secrets, or trusted address ranges: without one of them no link can ever be taken.",
		);
	}
	return new LinkAcceptance(resolved);
}

class LinkAcceptance implements HubExtension {
	readonly #options: ResolvedAcceptLinksOptions;
	#proxies: Proxies | undefined;

	constructor(options: ResolvedAcceptLinksOptions) {
		this.#options = options;
	}

	install(hub: Hub): undefined {
		const proxies = new Proxies(hub, this.#options);
		this.#proxies = proxies;
		hub.accept(new LinkAcceptor(hub, this.#options, proxies));
	}

	async close(): Promise<void> {
		this.#proxies?.dispose();
	}
}

class LinkAcceptor implements Acceptor {
	readonly target = HubTarget.Invoke;
	readonly #hub: Hub;
	readonly #options: ResolvedAcceptLinksOptions;
	readonly #proxies: Proxies;
	readonly #proofs: ProofChecker;

	constructor(hub: Hub, options: ResolvedAcceptLinksOptions, proxies: Proxies) {
		this.#hub = hub;
		this.#options = options;
		this.#proxies = proxies;
		this.#proofs = new ProofChecker(options.secrets, hub.clock);
	}

	/** A peer that proves a secret is a link from the start. */
	handshake(channel: MessageChannel): ChannelHandler | undefined {
		const proof = channel.request.headers[LINK_HEADER];
		const { remoteAddress } = channel.request;
		if (proof === undefined) {
			// Its first Invoke is held to the limit before it can show what it is.
			if (this.#options.trusts(remoteAddress)) channel.maxMessageBytes = this.#options.maxLinkMessageBytes;
			return undefined;
		}
		const verdict = this.#proofs.check(String(proof));
		if (verdict === "valid") return this.#take(channel);
		const message = `A link was refused (${verdict}). Set LINK_SECRET to the same value here and at the proxy, and keep both clocks right.`;
		this.#hub.counters.add("linkRefusals");
		this.#hub.log.warn({ code: "ERR_LINK_REFUSED", remoteAddress }, message);
		return undefined;
	}

	/** A peer at a trusted address becomes a link by its first `Invoke`. */
	claim(_client: ClientConnection, channel: MessageChannel): ChannelHandler | undefined {
		const { remoteAddress } = channel.request;
		if (this.#options.trusts(remoteAddress)) return this.#take(channel);
		const message = `${HubTarget.Invoke} was refused: the peer proves no LINK_SECRET and is not in LINK_TRUSTED.`;
		this.#hub.counters.add("linkRefusals");
		this.#hub.log.warn({ code: "ERR_LINK_REFUSED", remoteAddress }, message);
		return undefined;
	}

	#take(channel: MessageChannel): ChannelHandler {
		channel.maxMessageBytes = this.#options.maxLinkMessageBytes;
		channel.connection.maxBufferedBytes = this.#options.maxLinkBufferedBytes;
		this.#hub.counters.add("links");
		return new LinkEnd(this.#hub, channel, this.#proxies);
	}
}
