import assert from "node:assert/strict";
import {
	booleanOption,
	countOption,
	durationOption,
	functionOption,
	type Log,
	limitOption,
	logOption,
	refuseUnknown,
	silentLog,
} from "../../lib/base/index.js";

const refused = (run: () => unknown, message: RegExp): void =>
	assert.throws(run, (error: { code?: string; message?: string }) => {
		assert.equal(error.code, "ERR_OPTION");
		assert.match(error.message ?? "", message);
		return true;
	});

describe("base/check", () => {
	it("gives the default for what is absent, and the value for what is there", () => {
		assert.deepEqual(
			[countOption("n", undefined, 5), countOption("n", 7, 5), countOption("n", 0, 5, 0)],
			[5, 7, 0],
		);
		assert.deepEqual([durationOption("t", undefined, 5), durationOption("t", 0.5, 5)], [5, 0.5]);
		assert.deepEqual(
			[limitOption("l", undefined, 5), limitOption("l", 3, 5), limitOption("l", null, 5)],
			[5, 3, Infinity],
		);
	});

	it("refuses the rest, and says name, what was expected and what was found", () => {
		for (const value of [-1, 0, 1.5, Number.NaN, Infinity, "5", [], {}, () => 5]) {
			refused(
				() => countOption("maxThings", value as number, 5),
				/"maxThings" must be a whole number of at least 1; found /,
			);
		}
		for (const value of [0, -1, Number.NaN, 2 ** 31, "5"]) {
			refused(
				() => durationOption("waitMs", value as number, 5),
				/"waitMs" must be a number of milliseconds/,
			);
		}
	});

	it("takes true and false for a switch, and no text, which would always be true", () => {
		assert.deepEqual(
			[
				booleanOption("on", undefined, true),
				booleanOption("on", false, true),
				booleanOption("on", true, false),
			],
			[true, false, true],
		);
		for (const value of ["false", "", 0, null]) {
			refused(
				() => booleanOption("on", value as unknown as boolean, false),
				/"on" must be true or false; found /,
			);
		}
	});

	it("takes functions for what is called", () => {
		const call = (): void => {};
		assert.deepEqual([functionOption("call", call), functionOption("call", undefined)], [call, undefined]);
		for (const value of ["x", {}, true, null]) {
			refused(() => functionOption("call", value), /"call" must be a function; found /);
		}
	});

	it("takes for a log what has its four levels, and silence where there is none", () => {
		assert.equal(logOption(console), console);
		assert.equal(logOption(undefined), silentLog);
		for (const value of ["info", true, null, {}, { ...silentLog, warn: undefined }, () => {}]) {
			refused(() => logOption(value as Log), /"log" must be something with "debug".*such as pino\(\)/);
		}
	});

	it("refuses names that are not known, and hints at one that begins alike", () => {
		const known = ["keepAliveIntervalMs", "authenticate", "authenticateTimeoutMs"];
		const refuse = (options: object): void =>
			refuseUnknown(options, known, { owner: "It", help: "read its page." });
		refuse({ authenticate: 1, keepAliveIntervalMs: undefined, absent: undefined });
		refused(
			() => refuse({ keepAliveInterval: 5 }),
			/^It has no option "keepAliveInterval": did you mean "keepAliveIntervalMs"\?$/,
		);
		refused(() => refuse({ Authenticate: 1 }), /did you mean "authenticate"\?$/);
		refused(() => refuse({ authentication: 1 }), /did you mean "authenticate"\?$/);
		refused(() => refuse({ keys: 1 }), /^It has no option "keys": read its page/);
		refused(() => refuse({ cors: true }), /^It has no option "cors": read its page\.$/);
		refused(() => refuse({ toString: 1 }), /read its page/);
	});
});
