// An app server of the rolling deploy: a view model that finds every message that is lost or comes twice.
import { createViewModelHub, MulticastViewModel, ViewModel } from "../../../lib/dotnetify/index.js";
import { acceptLinks } from "../../../lib/forwarding/index.js";
import { type ServeSettings, serve, settingsOf } from "./serve.js";

interface Kept {
	readonly last: number;
	readonly wrong: number;
}

/** Takes numbers, which must follow one another, whatever process takes them. */
class Tally extends ViewModel {
	readonly Process = process.pid;
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
	readonly Process = process.pid;
	Text = "";

	Write(text: string): void {
		this.Text = text;
	}
}

const settings = settingsOf<ServeSettings & { readonly secret: string }>();
const hub = createViewModelHub({ viewModels: { Tally, Board } });
hub.use(acceptLinks({ secrets: [settings.secret] }));
await serve(hub, settings);
