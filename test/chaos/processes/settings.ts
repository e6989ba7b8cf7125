import type { AcceptLinksOptions, ForwardingOptions } from "../../../lib/forwarding/index.js";
import type { HubOptions, LinkStatus } from "../../../lib/index.js";

/** Where hubs are, at proxies and app servers alike: where the stock dotnetify client looks for one. */
export const HUB_PATH = "/dotnetify";
/** What links prove. */
export const SECRET = "a secret that only chaos knows";
/** The group that every client of a plain hub is in. */
export const EVERYONE = "everyone";

/** What an app server's hub is: methods of its own, view models, or view models that find what is lost. */
export type HubKind = "plain" | "views" | "tally";

/** What every process of a stage is told. */
export interface ProcessSettings {
	readonly kind: HubKind;
	/** 0: any that is free. */
	readonly port: number;
	/** Where it writes down what it sees; see journal.ts. */
	readonly journal: string;
	/** How often this place was started, from 1. */
	readonly incarnation: number;
	/** Options of its hub; nothing that JSON has not. */
	readonly hub?: HubOptions | undefined;
}

/** What an app server's process is told. */
export interface AppSettings extends ProcessSettings {
	readonly accept?: Omit<AcceptLinksOptions, "secrets"> | undefined;
	/** Time between messages to everyone, in milliseconds; none without. */
	readonly tickMs?: number | undefined;
}

/** What a proxy's process is told. */
export interface ProxySettings extends ProcessSettings {
	/** Where its app server is, or where equal ones are, which take clients in turn. */
	readonly url: string | readonly string[];
	/** Over how long its clients are sent away when it is asked to end, in milliseconds; at once without. */
	readonly spreadMs?: number | undefined;
	readonly forwarding?: Omit<ForwardingOptions, "secret" | "filter"> | undefined;
}

/** What a process of a stage can be asked. */
export type Question =
	| { readonly ask: "facts" }
	/** Does nothing but that for a while, in milliseconds. */
	| { readonly ask: "block"; readonly ms: number };

/** What a process says of itself. */
export interface Facts {
	/** Clients of its hub. */
	readonly clients: number;
	/** The hub's counters. */
	readonly counters: Readonly<Record<string, number>>;
	/** Memory, in bytes. */
	readonly rss: number;
	/** Its links, as they are now. */
	readonly links: readonly LinkStatus[];
	/** Bytes that wait for its clients with sockets of their own: of all, and of the one with most. */
	readonly buffered: { readonly all: number; readonly most: number };
	/** A proxy: whether it has reached its app server. */
	readonly isReady: boolean;
	/** A proxy: how many messages it took of each client, by connection id. */
	readonly taken: Readonly<Record<string, number>>;
}

/** What is written down of something that is not a message. */
export type Happening =
	| { readonly connected: string }
	| { readonly disconnected: string; readonly reason: string }
	| { readonly undeliverable: { readonly code: string; readonly client?: string; readonly target?: string } }
	| { readonly created: string }
	| { readonly disposed: string }
	| { readonly called: string }
	| { readonly taken: Readonly<Record<string, number>> }
	| { readonly fault: string };
