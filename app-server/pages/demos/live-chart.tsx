import { useState } from "react";
import type { LiveChartState } from "../../view-models/contracts.js";
import { useViewModel } from "../use-view-model.js";
import { BarChart, PieChart, WaveChart } from "./charts.js";
import { Problem } from "./fields.js";

const NOTHING_YET: LiveChartState = { Waveform: [], Bar: [], Pie: [] };
const SHOWN_POINTS = 30;

/** Server push from the `LiveChart` view model. */
export function LiveChart() {
	const { state, error } = useViewModel("LiveChart", NOTHING_YET);
	const [paused, setPaused] = useState<LiveChartState>();

	const { Waveform, Bar, Pie } = paused ?? state;
	const pause = () => setPaused({ ...state, Waveform: [...state.Waveform] });
	return (
		<section aria-label="Charts">
			<button
				type="button"
				aria-pressed={paused !== undefined}
				onClick={() => (paused ? setPaused(undefined) : pause())}
			>
				Pause
			</button>
			<div className="charts">
				<WaveChart points={Waveform.slice(-SHOWN_POINTS)} />
				<BarChart values={Bar} />
				<PieChart shares={Pie} />
			</div>
			<Problem text={error} />
		</section>
	);
}
