import { MulticastViewModel, type ViewModelClient } from "../../lib/dotnetify/index.js";
import { HubException } from "../../lib/index.js";
import type { ChatMessage, ChatRoomState, ChatUser } from "./contracts.js";
import { limitText, MAX_MESSAGES, MAX_NAME_LENGTH, MAX_TEXT_LENGTH, MAX_USERS } from "./limits.js";

const MAX_BROWSER_LENGTH = 40;
const BROWSER = /\b(?:Edg|OPR|Firefox|Chrome|Safari)\/\d+/;

/** What the page sends with a message. */
export interface SentMessage {
	readonly Text?: unknown;
	readonly Date?: unknown;
	/** Not empty: the sender is called this from now on. */
	readonly UserName?: unknown;
}

/** One room for everybody, with the last messages and the people who are in it. */
export class ChatRoom extends MulticastViewModel implements ChatRoomState {
	static readonly itemKeys = { Messages: "Id", Users: "Id" };
	// Behind getters and frozen: paths such as Messages.0.Text, too, must not let anybody write what everybody sees.
	#messages: readonly ChatMessage[] = frozen([]);
	#users: readonly ChatUser[] = frozen([]);
	readonly #maxUsers: number;
	#lastMessageId = 0;
	#lastUserNumber = 0;

	constructor(maxUsers: number = MAX_USERS) {
		super();
		this.#maxUsers = maxUsers;
	}

	get Messages(): readonly ChatMessage[] {
		return this.#messages;
	}

	get Users(): readonly ChatUser[] {
		return this.#users;
	}

	override onMemberLeft(client: ViewModelClient): void {
		this.#leave(client.connectionId);
		this.pushUpdates();
	}

	/** Lets the caller in; the page finds itself among the users by `correlationId`. */
	AddUser(correlationId: string): void {
		const CorrelationId = limitText(correlationId, MAX_NAME_LENGTH);
		const user = this.#caller(CorrelationId);
		if (user.CorrelationId !== CorrelationId) this.#change(user, { CorrelationId });
	}

	/** Lets the caller out. */
	RemoveUser(): void {
		this.#leave(this.connection.connectionId);
	}

	/** Tells everybody; a text that begins with a user's name and a colon goes to that user and the sender only. */
	SendMessage(sent: SentMessage | null): void {
		const { Text, Date: date, UserName } = sent ?? {};
		const text = limitText(Text, MAX_TEXT_LENGTH);
		if (text === "") return;
		const sender = this.#sender(limitText(UserName, MAX_NAME_LENGTH));
		const message: ChatMessage = {
			Id: ++this.#lastMessageId,
			UserId: sender.Id,
			UserName: sender.Name,
			Date: dateOf(date),
			Text: text,
		};
		const receiver = this.#users.find(({ Name }) => text.startsWith(`${Name}:`));
		if (receiver) this.#tell([sender.Id, receiver.Id], message);
		else this.#publish(message);
	}

	#sender(name: string): ChatUser {
		const user = this.#caller();
		return name === "" || name === user.Name ? user : this.#change(user, { Name: name });
	}

	/** Who sent the message that is being handled; comes in where that was not done yet. */
	#caller(correlationId = ""): ChatUser {
		const { connectionId, request } = this.connection;
		const known = this.#users.find(({ Id }) => Id === connectionId);
		if (known) return known;
		if (this.#users.length >= this.#maxUsers) {
			throw new HubException(`The room is full: ${this.#maxUsers} people are in it.`);
		}
		const user: ChatUser = {
			Id: connectionId,
			CorrelationId: correlationId,
			Name: `user${++this.#lastUserNumber}`,
			IpAddress: request.ip,
			Browser: browserOf(request.headers["user-agent"]),
		};
		this.#users = frozen([...this.#users, user]);
		this.addList("Users", user);
		return user;
	}

	#change(user: ChatUser, values: Partial<ChatUser>): ChatUser {
		const changed = { ...user, ...values };
		this.#users = frozen(this.#users.with(this.#users.indexOf(user), changed));
		this.updateList("Users", changed);
		return changed;
	}

	#publish(message: ChatMessage): void {
		const [oldest] = this.#messages.slice(0, 1 - MAX_MESSAGES);
		this.#messages = frozen([...this.#messages, message].slice(-MAX_MESSAGES));
		this.addList("Messages", message);
		if (oldest) this.removeList("Messages", oldest.Id);
	}

	#tell(connectionIds: readonly string[], message: ChatMessage): void {
		this.send({ connectionIds, properties: { PrivateMessage: message } });
	}

	#leave(connectionId: string): void {
		const staying = this.#users.filter(({ Id }) => Id !== connectionId);
		if (staying.length === this.#users.length) return;
		this.#users = frozen(staying);
		this.removeList("Users", connectionId);
	}
}

function frozen<Item extends object>(items: readonly Item[]): readonly Item[] {
	return Object.freeze(items.map((item) => Object.freeze(item)));
}

/** ISO 8601 of what the page's clock said, or of the server's clock when that is no date. */
function dateOf(sent: unknown): string {
	const date = new Date(typeof sent === "string" ? sent : Number.NaN);
	return (Number.isNaN(date.getTime()) ? new Date() : date).toISOString();
}

function browserOf(userAgent: string | undefined): string {
	return limitText(BROWSER.exec(userAgent ?? "")?.[0].replace("/", " "), MAX_BROWSER_LENGTH);
}
