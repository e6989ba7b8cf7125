import type { TrunklineError } from "../../errors/index.js";
import { newLinkId } from "../link/link-greeting.js";
import type { AppSession } from "../upstream/app-session.js";
import { UpstreamLinks, type UpstreamLinksListener, type UpstreamLinksSettings } from "./upstream-links.js";

/** An address of an upstream, and its share among replicas. */
export interface UpstreamUrl {
	readonly url: string;
	readonly weight: number;
}

/** What the links to all addresses have in common. */
export type AddressesSettings = Omit<UpstreamLinksSettings, "url" | "weight" | "instance" | "firstPlace">;

/** Which link is to be cut, and why. */
export interface LinkCut {
	readonly link: number;
	readonly incarnation: number;
	readonly error: TrunklineError;
}

/** The addresses of an upstream, with the links to each. One that is given up keeps its links until its sessions are over. */
export class Addresses {
	readonly #settings: AddressesSettings;
	readonly #listener: UpstreamLinksListener;
	readonly #links = new Map<string, UpstreamLinks>();
	/** Links to addresses that are given up, and the sessions that they are still for. */
	readonly #leaving = new Map<UpstreamLinks, Set<AppSession>>();
	readonly #instance = newLinkId();
	/** First places of addresses that were given up. */
	readonly #places: number[] = [];
	#nextPlace = 0;
	#isOpen = false;

	constructor(settings: AddressesSettings, listener: UpstreamLinksListener) {
		this.#settings = settings;
		this.#listener = listener;
	}

	open(): void {
		this.#isOpen = true;
		for (const links of this.#links.values()) links.open();
	}

	/** Whether all links to an address have joined a session. */
	isWhole(url: string): boolean {
		return this.#links.get(url)?.isWhole === true;
	}

	/** Links of a session, over all addresses. */
	of(session: AppSession): number {
		let count = 0;
		for (const links of this.#links.values()) count += links.of(session);
		return count;
	}

	/** Uses these addresses from now on; returns the sessions that no address leads to any more. */
	lead(urls: readonly UpstreamUrl[], sessions: readonly AppSession[]): AppSession[] {
		for (const { url, weight } of urls) if (!this.#links.has(url)) this.#add(url, weight);
		const abandoned: AppSession[] = [];
		for (const [url, links] of this.#links) {
			if (urls.some((each) => each.url === url)) continue;
			this.#links.delete(url);
			const left = sessions.filter((session) => links.of(session) > 0);
			abandoned.push(...left.filter((session) => this.of(session) === 0));
			this.#leaving.set(links, new Set(left));
			this.#closeIfLeft(links);
		}
		return abandoned;
	}

	/** Cuts a link that a session has dropped. */
	cut(session: AppSession, { link, incarnation, error }: LinkCut): void {
		for (const links of this.#all) if (links.of(session) > 0) links.cut(link, incarnation, error);
	}

	/** A session is over: its app server is told, and its links connect anew. */
	leave(session: AppSession): void {
		for (const links of this.#all) links.leave(session);
		for (const [links, sessions] of this.#leaving) {
			sessions.delete(session);
			this.#closeIfLeft(links);
		}
	}

	/** Ends all links for good; resolves when their sockets are gone. */
	async close(): Promise<void> {
		await Promise.all(this.#all.map((links) => links.close()));
	}

	get #all(): readonly UpstreamLinks[] {
		return [...this.#links.values(), ...this.#leaving.keys()];
	}

	#add(url: string, weight: number): void {
		const firstPlace = this.#places.pop() ?? this.#nextPlace;
		if (firstPlace === this.#nextPlace) this.#nextPlace += this.#settings.poolSize;
		const settings = { ...this.#settings, url, weight, firstPlace, instance: this.#instance };
		const links = new UpstreamLinks(settings, this.#listener);
		this.#links.set(url, links);
		if (this.#isOpen) links.open();
	}

	#closeIfLeft(links: UpstreamLinks): void {
		if (this.#leaving.get(links)?.size !== 0) return;
		this.#leaving.delete(links);
		this.#places.push(links.firstPlace);
		void links.close();
	}
}
