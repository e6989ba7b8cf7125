import type { Log } from "../../base/index.js";
import { Link, type LinkListener, type LinkSettings, type MessageLink } from "./link.js";

/** Some links to one app server. */
export interface MessagePool {
	/** Links that are up. */
	readonly up: number;
	readonly isUp: boolean;
	open(): void;
	/** Ends all links; resolves when their sockets are gone. */
	close(): Promise<void>;
	/** The link for the next message; undefined while none is up. */
	next(): MessageLink | undefined;
}

/** The links to one app server, taken in turn. */
export class LinkPool implements MessagePool {
	readonly #links: readonly Link[];
	#next = 0;

	constructor(size: number, settings: LinkSettings, listener: LinkListener) {
		// They share one fate: the first one's troubles are told, those of the others are detail.
		const quiet = { ...settings, log: quietLog(settings.log) };
		this.#links = Array.from({ length: size }, (_, at) => new Link(at === 0 ? settings : quiet, listener));
	}

	get up(): number {
		return this.#links.filter((link) => link.isUp).length;
	}

	get isUp(): boolean {
		return this.#links.some((link) => link.isUp);
	}

	open(): void {
		for (const link of this.#links) link.open();
	}

	async close(): Promise<void> {
		await Promise.all(this.#links.map((link) => link.close()));
	}

	/** The next link that is up, round robin; undefined while none is. */
	next(): Link | undefined {
		for (let tried = 0; tried < this.#links.length; tried++) {
			const link = this.#links[this.#next];
			this.#next = (this.#next + 1) % this.#links.length;
			if (link?.isUp) return link;
		}
		return undefined;
	}
}

function quietLog(log: Log): Log {
	return {
		debug: (fields, message) => log.debug(fields, message),
		info: (fields, message) => log.debug(fields, message),
		warn: (fields, message) => log.debug(fields, message),
		error: (fields, message) => log.error(fields, message),
	};
}
