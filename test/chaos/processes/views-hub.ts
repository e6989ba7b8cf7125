import { createViewModelHub, MulticastViewModel, ViewModel } from "../../../lib/dotnetify/index.js";
import type { Hub } from "../../../lib/index.js";
import { Ticker as PushingTicker } from "../../interop/stock/ticker.js";
import type { JournalWriter } from "./journal.js";
import type { AppSettings } from "./settings.js";

/** A hub with view models that say which process they are in, and write down that they are made and disposed. */
export function viewsHub({ incarnation, hub: options }: AppSettings, journal: JournalWriter): Hub {
	/** Counts for one client. */
	class Counter extends ViewModel {
		readonly Incarnation = incarnation;
		Count = 0;
		readonly #connectionId = this.connection.connectionId;

		override onCreated(): void {
			journal.tell({ created: this.#connectionId });
		}

		override dispose(): void {
			journal.tell({ disposed: this.#connectionId });
		}

		Add(amount: number): void {
			this.Count += amount;
		}
	}

	/** Counts for all. */
	class Board extends MulticastViewModel {
		readonly Incarnation = incarnation;
		Total = 0;

		Add(amount: number): void {
			this.Total += amount;
		}
	}

	class Ticker extends PushingTicker {
		readonly Incarnation = incarnation;
	}

	return createViewModelHub({ ...options, viewModels: { Counter, Board, Ticker } });
}
