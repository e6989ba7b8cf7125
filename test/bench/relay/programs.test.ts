import assert from "node:assert/strict";
import { once } from "node:events";
import { WebSocket } from "ws";
import { BenchError, Child } from "../../../bench/children.js";
import { type BalancerName, balancerVersion, startBalancer } from "../../../bench/relay/programs.js";
import { startRawEcho } from "../../../bench/subject/raw-echo.js";

/** What comes back for a text. */
async function echoed(port: number, text: string): Promise<string> {
	const socket = new WebSocket(`ws://127.0.0.1:${port}/`);
	await once(socket, "open");
	socket.send(text);
	const [data] = (await once(socket, "message")) as [Buffer];
	socket.close();
	await once(socket, "close");
	return data.toString();
}

describe("bench/relay/programs", function () {
	this.timeout(20_000);

	for (const name of ["haproxy", "nginx"] as const satisfies readonly BalancerName[]) {
		it(`relays WebSockets with ${name}`, async function () {
			if (balancerVersion(name) === undefined) {
				console.log(`      ${name} is not installed: its test is skipped`);
				this.skip();
			}
			const echo = await startRawEcho("127.0.0.1", 16);
			const { port, stop } = await startBalancer(name, echo.port, undefined);
			try {
				assert.equal(await echoed(port, "hello"), "hello");
			} finally {
				await stop();
				echo.close();
			}
		});
	}

	it("says why a program that answers nothing did not start", async () => {
		const program = [process.execPath, "-e", "throw new Error('no such option')"];
		const child = new Child("relay", { program, port: 9, core: undefined });
		await assert.rejects(child.started(), (error: unknown) => {
			assert.ok(error instanceof BenchError);
			assert.match(error.message, /^the relay failed at "start": it ended with code 1 \(.*no such option/);
			return true;
		});
	});
});
