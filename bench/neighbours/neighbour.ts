// The client that the others are measured beside: a process of its own, driven by requests of its parent.
import { constants, setPriority } from "node:os";
import { setTimeout as wait } from "node:timers/promises";
import { answerParent } from "../recover/child-end.js";
import { Flooder } from "./flooder.js";
import type { NeighbourCounts, NeighbourJob, NeighbourRequest } from "./job.js";
import { SlowReader } from "./slow-reader.js";

const TIMEOUT_MS = 30_000;
const POLL_MS = 2;

let present: Flooder | SlowReader | undefined;

async function until(isSo: () => boolean, what: string): Promise<void> {
	for (const start = performance.now(); !isSo(); await wait(POLL_MS))
		if (performance.now() - start > TIMEOUT_MS) throw new Error(`${what} for ${TIMEOUT_MS} ms`);
}

function come(job: NeighbourJob): Promise<void> {
	return new Promise((resolve) => {
		const { kind } = job;
		present = kind === "flooder" ? new Flooder(job.port, resolve) : new SlowReader(job, kind, resolve);
	});
}

function slowReader(): SlowReader {
	if (!(present instanceof SlowReader)) throw new Error("there is no slow reader");
	return present;
}

function counts(): NeighbourCounts {
	if (!present) throw new Error("nobody has come");
	return present.counts;
}

async function go(): Promise<void> {
	const leaving = present;
	if (leaving instanceof Flooder) {
		leaving.stop();
		const isHandled = ({ sent, handled, isEnded }: NeighbourCounts): boolean => isEnded || handled === sent;
		await until(() => isHandled(leaving.counts), "what the flooder sent was not handled");
	}
	leaving?.end();
	present = undefined;
}

// It shares a core with the app server and with those who call: what they wait for it is not the proxy's.
setPriority(constants.priority.PRIORITY_LOW);
answerParent(async (request: NeighbourRequest) => {
	switch (request.kind) {
		case "come":
			return come(request.job);
		case "fill":
			return until(slowReader().fill(request.messages), "the slow reader could not be told");
		case "keep-telling":
			return slowReader().keepTelling();
		case "counts":
			return counts();
		case "go":
			return go();
	}
});
