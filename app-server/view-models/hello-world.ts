import { ViewModel } from "../../lib/dotnetify/index.js";
import type { HelloWorldState } from "./contracts.js";

const PUSH_INTERVAL_MS = 1_000;

/** Greets whoever gives a name, and tells the time each second. */
export class HelloWorld extends ViewModel implements HelloWorldState {
	FirstName = "Hello";
	LastName = "World";
	ServerTime: string = new Date().toISOString();
	#timer: NodeJS.Timeout | undefined;

	get Greetings(): string {
		return `Hello, ${this.FirstName} ${this.LastName}!`;
	}

	override onCreated(): void {
		this.#timer = setInterval(() => this.#tick(), PUSH_INTERVAL_MS).unref();
	}

	override dispose(): void {
		clearInterval(this.#timer);
	}

	#tick(): void {
		this.ServerTime = new Date().toISOString();
		this.pushUpdates();
	}
}
