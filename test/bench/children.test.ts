import assert from "node:assert/strict";
import { BenchError, Child } from "../../bench/children.js";
import { freePort } from "../../proxy-server/children.js";

const BARE = { program: "subject/main", parameter: { role: "ws" }, core: undefined };

describe("bench/children", function () {
	this.timeout(30_000);

	it("names the child and its last error in one line when it cannot start", async () => {
		const parameter = { role: "proxy", appServer: "nowhere", wire: "native" };
		const child = new Child("proxy", { program: "subject/main", parameter, core: undefined });
		try {
			await assert.rejects(child.started(), (error: unknown) => {
				assert.ok(error instanceof BenchError);
				assert.match(error.message, /^the proxy failed at "start": it ended with code 1 \(.*absolute.*\)$/);
				return true;
			});
		} finally {
			await child.stop();
		}
	});

	it("fails what was asked when the child dies meanwhile, and everything after it", async () => {
		const child = new Child("ws server", BARE);
		try {
			await child.started();
			const answer = child.ask({ kind: "collect" });
			process.kill(child.pid, "SIGKILL");
			// It may have answered before the signal came.
			await answer.catch(() => undefined);
			await assert.rejects(
				(async () => {
					for (;;) await child.ask({ kind: "collect" });
				})(),
				/^Error: the ws server failed at "collect": it ended with SIGKILL$/,
			);
		} finally {
			await child.stop();
		}
	});

	it("fails a load whose server is not there", async () => {
		const child = new Child("load", { program: "load/main", core: undefined });
		const job = {
			...{ port: await freePort(0), path: "/hub", protocol: "json", clients: 2, setup: undefined },
			...{ messages: [], mode: "idle", outstanding: 0, answers: 0, isSpinning: false },
		};
		try {
			await child.started();
			const connect = { kind: "connect", job };
			await assert.rejects(child.ask(connect), /^Error: the load failed at "connect": connect ECONNREFUSED/);
		} finally {
			await child.stop();
		}
	});
});
