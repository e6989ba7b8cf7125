/** What links carry. */
export type Wire = "native" | "dotnetify";

/** A proxy in front of an app server. */
export interface ProxyRole {
	readonly role: "proxy";
	/** Its url, without a path. */
	readonly appServer: string;
	/** What it speaks to it: native links, or what dotNetify's own servers understand. */
	readonly wire: Wire;
}

/** Passes WebSocket messages on, over a socket of its own for each client. */
export interface RelayRole {
	readonly role: "ws-relay";
	/** The port of the server that it passes them to. */
	readonly target: number;
}

/** Hubs with methods and view models. */
export interface AppServerRole {
	readonly role: "app-server";
	/** Where it listens. @defaultValue any port that is free */
	readonly port?: number;
}

/** What a server under test is. */
export type SubjectRole =
	| { readonly role: "ws" | "ws-json" | "raw-echo" }
	| AppServerRole
	| ProxyRole
	| RelayRole;

/** Path of the hub with methods, here and at ASP.NET Core. */
export const HUB_PATH = "/hub";
/** Path of Socket.IO, without its parts that are not WebSockets. */
export const SOCKET_IO_PATH = "/socket.io/?EIO=4&transport=websocket";
/** Path of a hub that a proxy answers itself. */
export const OWN_HUB_PATH = "/own";
/** Path of the hub with view models. */
export const VIEW_MODEL_PATH = "/dotnetify";
/** What the hub's method `push` calls at its caller. */
export const PUSH_TARGET = "pushed";
/** A view model that says which process has made it. */
export const CARD = "Card";
