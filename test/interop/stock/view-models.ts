import {
	createViewModelHub,
	MulticastViewModel,
	ViewModel,
	type ViewModelClient,
} from "../../../lib/dotnetify/index.js";
import { type Hub, HubException, type HubOptions } from "../../../lib/index.js";
import { Ticker } from "./ticker.js";

/** A computed property, a command, a value from `$vmArg`. */
class Hello extends ViewModel {
	FirstName = "Hello";
	LastName = "World";
	#greeted = 0;

	get FullName(): string {
		return `${this.FirstName} ${this.LastName}`;
	}

	get Greeted(): number {
		return this.#greeted;
	}

	override async onCreated(): Promise<void> {
		await Promise.resolve();
		this.LastName += "!";
	}

	/** A command that takes its time. */
	async Greet({ times }: { readonly times: number }): Promise<void> {
		await new Promise(setImmediate);
		this.#greeted += times;
	}

	Reset(): void {
		this.FirstName = "Hello";
	}
}

interface Item {
	readonly Id: number;
	readonly Name: string;
}

/** Create, update, remove. */
class Items extends ViewModel {
	static readonly itemKeys = { List: "Id" };
	List: Item[] = [{ Id: 1, Name: "one" }];
	#lastId = 1;

	get Names(): string {
		return this.List.map(({ Name }) => Name).join(" ");
	}

	Add(name: string): void {
		this.addList("List", { Id: ++this.#lastId, Name: name });
	}

	Rename(item: Item): void {
		this.updateList("List", item);
	}

	/** Finds the item of a path such as `List.$3.Name`. */
	List_get(id: string): Item | undefined {
		return this.List.find((item) => item.Id === Number(id));
	}

	Remove(id: number): void {
		this.removeList("List", id);
	}
}

/** What a view model learns of its client. */
class Whoami extends ViewModel {
	readonly ConnectionId = this.connection.connectionId;
	readonly UserId = this.connection.user?.id ?? null;
	readonly Address = this.connection.request.ip;
	readonly Via = String(this.connection.request.headers.via ?? "");
	get Token(): unknown {
		return this.headers["token"] ?? null;
	}

	/** Any update makes the view model look at itself again. */
	Renew(): void {}
}

/** One room for all. */
class Room extends MulticastViewModel {
	static readonly itemKeys = { Messages: "Id" };
	Messages: { readonly Id: number; readonly From: string; readonly Text: string }[] = [];
	Joined = 0;
	Left = 0;

	override onMemberJoined(): void {
		this.Joined++;
		this.pushUpdates();
	}

	override onMemberLeft(): void {
		this.Left++;
		this.pushUpdates();
	}

	Say(text: string): void {
		this.addList("Messages", {
			Id: this.Messages.length + 1,
			From: this.connection.connectionId,
			Text: text,
		});
	}

	/** To one connection only. */
	Whisper({ to, text }: { readonly to: string; readonly text: string }): void {
		this.send({ connectionIds: [to], properties: { Whispered: text } });
	}

	/** To every connection of a user. */
	Tell({ user, text }: { readonly user: string; readonly text: string }): void {
		this.send({ userIds: [user], properties: { Told: text } });
	}
}

/** A room per team; the client says its team by `$headers`. */
class TeamRoom extends MulticastViewModel {
	Topic = "";

	override groupName(client: ViewModelClient): string {
		return String(client.headers["team"] ?? "");
	}
}

/** What is selected in `Master.Selection` is shown in `Master.Details`. */
class Master extends ViewModel {
	#details: Details | undefined;

	override getSubViewModel(type: string): ViewModel | undefined {
		return type === "Selection" ? new Selection((id) => this.#details?.show(id)) : undefined;
	}

	override onSubViewModelCreated(viewModel: ViewModel): void {
		if (viewModel instanceof Details) this.#details = viewModel;
	}
}

class Selection extends ViewModel {
	readonly Ids: readonly number[] = [1, 2];
	readonly #selected: (id: number) => void;

	constructor(selected: (id: number) => void) {
		super();
		this.#selected = selected;
	}

	Select(id: number): void {
		this.#selected(id);
	}
}

class Details extends ViewModel {
	Shown = 0;

	show(id: number): void {
		this.Shown = id;
	}
}

/** Goes wrong when it is told to. */
class Faulty extends ViewModel {
	Value = 0;

	Fail(text: string): void {
		throw new HubException(text);
	}
}

const VIEW_MODELS = { Hello, Items, Whoami, Room, TeamRoom, Master, Details, Ticker, Faulty };

/** An app server's hub with the view models that the stock clients are tested with. */
export function viewModelHub(options: HubOptions = {}): Hub {
	return createViewModelHub({ ...options, viewModels: VIEW_MODELS });
}
