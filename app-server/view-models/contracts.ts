// What the view models put on the wire, field by field, as the pages read it. Types only: server and browser share
// this file, and neither pulls in the other.

/** State of the `Connection` view model. */
export interface ConnectionState {
	/** Ids of the proxies between the browser and this app server, the browser's first; empty when there is none. */
	readonly ConnectedThrough: readonly string[];
	/** The id of the app server itself. */
	readonly AppServer: string;
}

/** State of the `HelloWorld` view model. */
export interface HelloWorldState {
	readonly FirstName: string;
	readonly LastName: string;
	/** Computed from the names. */
	readonly Greetings: string;
	/** ISO 8601, pushed each second. */
	readonly ServerTime: string;
}

/** One row of the `SimpleList` view model; its key is `Id`. */
export interface Employee {
	readonly Id: number;
	readonly FirstName: string;
	readonly LastName: string;
}

/** State of the `SimpleList` view model. */
export interface SimpleListState {
	readonly Employees: readonly Employee[];
}

/** A point of the wave: x and sin(x / π), both as text, as the original sends them. */
export type WavePoint = readonly [x: string, y: string];

/** State of the `LiveChart` view model. */
export interface LiveChartState {
	/** The newest 30 points at first; one more each second. */
	readonly Waveform: readonly WavePoint[];
	/** Twelve whole numbers from 0 to 1000. */
	readonly Bar: readonly number[];
	/** Three shares, each from 0 to 1; they need not add up to 1. */
	readonly Pie: readonly number[];
}

/** One message of the `ChatRoom` view model; its key is `Id`. */
export interface ChatMessage {
	readonly Id: number;
	/** Connection id of the sender. */
	readonly UserId: string;
	readonly UserName: string;
	/** ISO 8601. */
	readonly Date: string;
	readonly Text: string;
}

/** Somebody in the `ChatRoom` view model; the key is `Id`. */
export interface ChatUser {
	/** Connection id. */
	readonly Id: string;
	/** What the page gave to `AddUser`, by which it finds itself. */
	readonly CorrelationId: string;
	readonly Name: string;
	readonly IpAddress: string;
	readonly Browser: string;
}

/** State of the `ChatRoom` view model. */
export interface ChatRoomState {
	readonly Messages: readonly ChatMessage[];
	readonly Users: readonly ChatUser[];
	/** The newest message that only its sender and one other user get. */
	readonly PrivateMessage?: ChatMessage | null;
}
