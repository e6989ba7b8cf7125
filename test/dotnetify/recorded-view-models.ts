import { type Clock, systemClock, type Timer } from "../../lib/base/index.js";
import {
	MulticastViewModel,
	RoutableViewModel,
	ViewModel,
	type ViewModelSources,
} from "../../lib/dotnetify/index.js";
import { Subject } from "./subject.js";

/** Exceptions with the names that .NET's have. */
export class InvalidOperationException extends Error {
	override name = "InvalidOperationException";
}
export class ApplicationException extends Error {
	override name = "ApplicationException";
}

export class HelloWorld extends ViewModel {
	FirstName = "Hello";
	LastName = "World";
	get Greetings(): string {
		return `${this.FirstName} ${this.LastName}`;
	}
}

export class Echo extends ViewModel {
	Pong = "";
	set Ping(value: unknown) {
		this.Pong = `${String(value)}@${Date.now()}`;
	}
}

class Seq extends ViewModel {
	#report = "";
	readonly #values: number[] = [];
	set N(value: unknown) {
		this.#values.push(Number(value));
	}
	get Report(): string {
		return this.#report;
	}
	set Report(_anything: string) {
		const inversions = this.#values.filter(
			(value, at) => at > 0 && value < (this.#values[at - 1] ?? 0),
		).length;
		this.#report = `count=${this.#values.length} inversions=${inversions}`;
	}
}
class SeqB extends Seq {}

interface Message {
	Id: number;
	User: string;
	Text: string;
}

export class ChatRoom extends MulticastViewModel {
	static commands = ["SendMessage", "EditMessage", "RemoveMessage"];
	static itemKeys = { Messages: "Id", Users: "ConnId" };
	Messages: Message[] = [];
	Users: object[] = [];
	Topic = "none";
	#lastId = 0;
	SendMessage({ User, Text }: Omit<Message, "Id">): void {
		this.addList("Messages", { Id: ++this.#lastId, User, Text });
		this.pushUpdates();
	}
	EditMessage(message: Message): void {
		this.updateList("Messages", message);
		this.pushUpdates();
	}
	RemoveMessage(id: number): void {
		this.removeList("Messages", id);
		this.pushUpdates();
	}
}

export class GroupRoom extends MulticastViewModel {
	static commands = ["Whisper", "Shout", "Users"];
	Text = "";
	override groupName(): string {
		return `room-${this.instanceId ?? "main"}`;
	}
	Whisper(connectionId: string): void {
		this.send({ connectionIds: [connectionId], properties: { Secret: `for ${connectionId}` } });
	}
	Shout(text: string): void {
		this.send({ groupName: this.groupName(), properties: { Shouted: text } });
	}
	Users(userId: string): void {
		this.send({ userIds: [userId], properties: { ForUser: userId } });
	}
}

export class Pusher extends MulticastViewModel {
	static commands = ["Go"];
	Data = "";
	Done = 0;
	async Go(parameters: string): Promise<void> {
		const [count = 0, size = 0, gapMs = 0] = String(parameters).split(",").map(Number);
		for (let at = 0; at < count; at++) {
			this.Data = `${at}:`.padEnd(size, "x");
			this.pushUpdates();
			if (gapMs > 0) await new Promise((resolve) => setTimeout(resolve, gapMs));
		}
		this.Done = count;
	}
}
class PusherGroup extends Pusher {
	override groupName(): string {
		return "pushers";
	}
}

interface Item {
	Id: number;
	Name: string;
}

export class SimpleList extends ViewModel {
	static commands = ["Add", "Update", "Remove"];
	static itemKeys = { Items: "Id" };
	Items: Item[] = [
		{ Id: 1, Name: "a" },
		{ Id: 2, Name: "b" },
	];
	ShowNote = false;
	Items_get(key: number): Item | undefined {
		return this.Items.find(({ Id }) => Id === key);
	}
	Add(name: string): void {
		this.addList("Items", { Id: Math.max(0, ...this.Items.map(({ Id }) => Id)) + 1, Name: name });
	}
	Update(item: Item): void {
		this.updateList("Items", item);
		this.ShowNote = true;
	}
	Remove(id: number): void {
		this.removeList("Items", id);
	}
}

class Thrower extends ViewModel {
	Ok = "ok";
	Num = 0;
	get Bad(): string {
		return "";
	}
	set Bad(value: string) {
		throw new InvalidOperationException(`boom ${value}`);
	}
	async AsyncBad(text: string): Promise<void> {
		await Promise.resolve();
		throw new ApplicationException(`async boom ${text}`);
	}
	async AsyncGood(text: string): Promise<void> {
		await Promise.resolve();
		this.Ok = `async ${text}`;
	}
	Method0(): void {
		this.Ok = "method0";
	}
	Method2({ a, b }: { a: number; b: string }): void {
		this.Ok = `method2 ${a} ${b}`;
	}
}

class CtorThrower extends ViewModel {
	constructor() {
		super();
		throw new InvalidOperationException("ctor boom");
	}
}

class CreatedThrower extends ViewModel {
	override async onCreated(): Promise<void> {
		await Promise.resolve();
		throw new InvalidOperationException("created boom");
	}
}

class Secret extends ViewModel {
	static authorize = true as const;
	S = "secret";
}

export class Child extends ViewModel {
	ParentTitle: string | null = null;
	Value = "v";
	Nested = { Id: 9, Name: "nested" };
	get InstanceId(): string | null {
		return this.instanceId ?? null;
	}
}

export class Root extends ViewModel {
	Title = "root";
	override onSubViewModelCreated(viewModel: ViewModel): void {
		if (viewModel instanceof Child) viewModel.ParentTitle = this.Title;
		this.Title = "root+Child";
	}
	override onSubViewModelDisposing(): void {
		this.Title = "root-Child";
		this.pushUpdates();
	}
}

class Reactive extends ViewModel {
	Name = new Subject("x");
	Length = this.Name.map((name) => name.length);
}

class Conn extends ViewModel {
	get ConnId(): string {
		return this.connection.connectionId;
	}
	get HttpConn(): string {
		const { remoteAddress, remotePort } = this.connection.request;
		return `${remoteAddress}:${remotePort} fromIPAddress=${remoteAddress}`;
	}
	get UserAgent(): string {
		return this.connection.request.headers["user-agent"] ?? "";
	}
	get NumHeaders(): number {
		return Object.keys(this.connection.request.headers).length;
	}
}

class Routes extends RoutableViewModel {
	Active = "";
	constructor() {
		super();
		this.registerRoutes("app", [
			{ Id: "Home", UrlPattern: "", ViewUrl: "HomeView" },
			{ Id: "Page2", UrlPattern: "page2(/:id)", ViewUrl: "Page2View" },
		]);
	}
	get LinkHome(): object {
		return this.getRoute("Home");
	}
	get LinkPage2(): object {
		return this.getRoute("Page2", "page2/7");
	}
	override onRouted(from: string | null): void {
		this.Active = from ?? "";
	}
}

/** The view models of the recorded server; timers run on `clock`. */
export function createRecordedViewModels(clock: Clock = systemClock): ViewModelSources {
	class Ticker extends ViewModel {
		#interval = 0;
		#timer: Timer | undefined;
		Count = 0;
		get Interval(): number {
			return this.#interval;
		}
		set Interval(ms: number) {
			this.#interval = ms;
			this.#timer?.cancel();
			if (ms > 0) this.#tick();
		}
		#tick(): void {
			this.#timer = clock.schedule(this.#interval, () => {
				this.Count++;
				this.pushUpdates();
				this.#tick();
			});
		}
		override dispose(): void {
			this.#timer?.cancel();
		}
	}
	return {
		...{ HelloWorld, Ticker, Echo, Seq, SeqB, ChatRoom, GroupRoom, Pusher, PusherGroup, SimpleList, Thrower },
		...{ CtorThrower, CreatedThrower, Secret, Root, Child, Reactive, Conn, Routes },
	};
}
