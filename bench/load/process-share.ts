import { readFileSync } from "node:fs";
import type { ProcessShare } from "./job.js";

/** Linux counts CPU time of /proc in hundredths of a second (USER_HZ, fixed in its interface). */
const TICKS_PER_SECOND = 100;
const NANOSECONDS = 1e9;
const USER_TIME = 11;
const SYSTEM_TIME = 12;

/** What a process has used since it began: CPU time of all threads, waiting time of its main thread. */
export function processTimes(pid: number): ProcessShare {
	const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
	// The second field is the program's name in parentheses, which may hold anything.
	const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
	const ticks = Number(fields[USER_TIME]) + Number(fields[SYSTEM_TIME]);
	const [, wait = "0"] = readFileSync(`/proc/${pid}/schedstat`, "latin1").split(" ");
	return { pid, cpuSeconds: ticks / TICKS_PER_SECOND, waitSeconds: Number(wait) / NANOSECONDS };
}

/** What a process used between two looks at it. */
export function shareBetween(before: ProcessShare, after: ProcessShare): ProcessShare {
	return {
		pid: after.pid,
		cpuSeconds: after.cpuSeconds - before.cpuSeconds,
		waitSeconds: after.waitSeconds - before.waitSeconds,
	};
}

/** Resident memory of a process, in bytes. */
export function residentBytes(pid: number): number {
	return statusBytes(pid, /^VmRSS:\s+(\d+) kB$/m);
}

/** The most resident memory that a process has had, in bytes. */
export function peakResidentBytes(pid: number): number {
	return statusBytes(pid, /^VmHWM:\s+(\d+) kB$/m);
}

function statusBytes(pid: number, field: RegExp): number {
	const [, kilobytes] = field.exec(readFileSync(`/proc/${pid}/status`, "latin1")) ?? [];
	return Number(kilobytes) * 1024;
}

const IDLE = 4;
const IO_WAIT = 5;
const COUNTED_FIELDS = 8;
const PROCESS_FIELDS = 3;

/** What a core has done since the machine began, in ticks. */
export interface CoreTimes {
	/** It had work, of whomever. */
	readonly busy: number;
	/** That of processes: interrupts are nobody's. */
	readonly processes: number;
	readonly all: number;
}

/** What each core has done since the machine began. */
export function coreTimes(): CoreTimes[] {
	const lines = readFileSync("/proc/stat", "latin1").split("\n");
	return lines
		.filter((line) => /^cpu\d/.test(line))
		.map((line) => {
			const fields = line.split(/\s+/).slice(0, COUNTED_FIELDS + 1);
			const sum = (to?: number): number =>
				fields.slice(1, to).reduce((ticks, field) => ticks + Number(field), 0);
			const all = sum();
			const busy = all - Number(fields[IDLE]) - Number(fields[IO_WAIT]);
			return { busy, processes: sum(1 + PROCESS_FIELDS), all };
		});
}
