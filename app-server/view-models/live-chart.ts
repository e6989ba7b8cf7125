import { ViewModel } from "../../lib/dotnetify/index.js";
import type { LiveChartState, WavePoint } from "./contracts.js";

const PUSH_INTERVAL_MS = 1_000;
const FIRST_POINTS = 30;
const MOST_POINTS = 120;
const BARS = 12;
const SLICES = 3;

/** New figures each second. */
export class LiveChart extends ViewModel implements LiveChartState {
	Waveform: WavePoint[] = Array.from({ length: FIRST_POINTS }, (_, index) => pointAt(index + 1));
	Bar: number[] = someBars();
	Pie: number[] = someShares();
	#lastX = FIRST_POINTS;
	#timer: NodeJS.Timeout | undefined;

	override onCreated(): void {
		this.#timer = setInterval(() => this.#tick(), PUSH_INTERVAL_MS).unref();
	}

	override dispose(): void {
		clearInterval(this.#timer);
	}

	#tick(): void {
		// Sends the short list once instead of the one new point, and so shortens the browser's list, too.
		if (this.Waveform.length >= MOST_POINTS) this.Waveform = this.Waveform.slice(1 - FIRST_POINTS);
		this.#lastX += 1;
		this.addList("Waveform", pointAt(this.#lastX));
		this.Bar = someBars();
		this.Pie = someShares();
		this.pushUpdates();
	}
}

function pointAt(x: number): WavePoint {
	return [`${x}`, `${Math.sin(x / Math.PI)}`];
}

function someBars(): number[] {
	return Array.from({ length: BARS }, () => 500 + Math.floor(Math.random() * 500));
}

function someShares(): number[] {
	return Array.from({ length: SLICES }, () => Math.random());
}
