export { Backoff, type BackoffOptions } from "./backoff.js";
export {
	booleanOption,
	countOption,
	durationOption,
	functionOption,
	limitOption,
	logOption,
	refuseUnknown,
} from "./check.js";
export { type Clock, ManualClock, systemClock, type Timer } from "./clock.js";
export { type Deferred, deferred } from "./deferred.js";
export { Fifo } from "./fifo.js";
export { randomId, randomName } from "./ids.js";
export { type Log, type LogMethod, silentLog } from "./log.js";
export { settledWithin } from "./settled.js";
export { isWellFormed } from "./text.js";
