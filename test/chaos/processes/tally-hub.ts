import { createViewModelHub, MulticastViewModel, ViewModel } from "../../../lib/dotnetify/index.js";
import type { Hub } from "../../../lib/index.js";
import type { AppSettings } from "./settings.js";

interface Kept {
	readonly last: number;
	readonly wrong: number;
}

/** Takes numbers, which must follow one another, whatever process takes them. */
class Tally extends ViewModel {
	Last = 0;
	Wrong = 0;

	Take(number: number): void {
		if (number !== this.Last + 1) this.Wrong++;
		this.Last = number;
	}

	override snapshot(): Kept {
		return { last: this.Last, wrong: this.Wrong };
	}

	override restore({ last, wrong }: Kept): void {
		this.Last = last;
		this.Wrong = wrong;
	}
}

/** All clients share it. */
class Board extends MulticastViewModel {
	Text = "";

	Write(text: string): void {
		this.Text = text;
	}
}

/** A hub with a view model that finds every message that is lost or comes twice, and moves with its client. */
export function tallyHub({ hub: options }: AppSettings): Hub {
	return createViewModelHub({ ...options, viewModels: { Tally, Board } });
}
