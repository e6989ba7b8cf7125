/** A proxy in front of an app server. */
export interface ProxyRole {
	readonly role: "proxy";
	/** Its url, without a path. */
	readonly appServer: string;
	readonly useMessagePack: boolean;
}

/** What a server under test is. */
export type SubjectRole = { readonly role: "ws" | "ws-json" | "app-server" } | ProxyRole;

/** Path of the hub with methods, here and at ASP.NET Core. */
export const HUB_PATH = "/hub";
/** Path of Socket.IO, without its parts that are not WebSockets. */
export const SOCKET_IO_PATH = "/socket.io/?EIO=4&transport=websocket";
/** Path of the hub with view models. */
export const VIEW_MODEL_PATH = "/dotnetify";
