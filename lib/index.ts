export { type Clock, type Log, type LogMethod, ManualClock, silentLog, systemClock } from "./base/index.js";
export { ERROR_CODES, type ErrorCode, HubException, TrunklineError } from "./errors/index.js";
export * from "./hub/index.js";
