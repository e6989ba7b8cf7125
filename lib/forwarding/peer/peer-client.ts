import type { ClientConnection, DisconnectReason } from "../../hub/index.js";
import type { FrameWire } from "./frame-wire.js";
import type { Inbox } from "./inbox.js";

/** A forwarded client at the app server: opening → open → closing → gone. */
export interface PeerClient {
	readonly number: number;
	readonly connectionId: string;
	readonly wire: FrameWire;
	/** Its messages in the order in which they came. */
	readonly inbox: Inbox;
	/** Its connection in the hub, once it was let in. */
	connection: ClientConnection | undefined;
	/** How its proxy says that it left, once it has. */
	left: DisconnectReason | undefined;
}
