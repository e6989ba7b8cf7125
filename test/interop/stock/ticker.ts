import { ViewModel } from "../../../lib/dotnetify/index.js";

/** Pushes by itself, all the time, until it is disposed. */
export class Ticker extends ViewModel {
	Ticks = 0;
	#timer: NodeJS.Timeout | undefined;

	override onCreated(): void {
		this.#timer = setInterval(() => {
			this.Ticks++;
			this.pushUpdates();
		}, 10);
	}

	override dispose(): void {
		clearInterval(this.#timer);
	}
}
