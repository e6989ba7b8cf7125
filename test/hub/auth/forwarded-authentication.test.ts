import assert from "node:assert/strict";
import { once } from "node:events";
import { get } from "node:http";
import { deferred, ManualClock } from "../../../lib/base/index.js";
import { TrunklineError } from "../../../lib/errors/index.js";
import { createHub, type HubOptions } from "../../../lib/hub/index.js";
import type { ConnectionRequest } from "../../../lib/transports/index.js";
import { collectingLog, REQUEST } from "../fakes.js";
import { live } from "../live.js";

function withUser(name: string): ConnectionRequest {
	return { ...REQUEST, headers: { "x-user": name } };
}

const authenticate: HubOptions["authenticate"] = async ({ headers }) => {
	const name = headers["x-user"];
	if (name === "away") throw new TrunklineError("ERR_AUTHENTICATION_UNAVAILABLE", "no keys");
	if (name === "wrong") throw new Error("secret");
	return name === undefined ? undefined : { id: String(name) };
};

const authorize: HubOptions["authorize"] = (user) => {
	if (user?.id === "breaks") throw new Error("secret");
	return user !== undefined && user.id !== "banned";
};

/** What an endpoint of the hub answers the same request. */
async function statusOf(port: number, name: string | undefined): Promise<number | undefined> {
	const headers = name === undefined ? {} : { "X-User": name };
	const request = get({ port, host: "127.0.0.1", path: "/chat", headers });
	const [response] = (await once(request, "response")) as [{ statusCode?: number; resume(): void }];
	response.resume();
	return response.statusCode;
}

describe("hub/auth/forwarded-authentication", () => {
	it("finds out who a forwarded client is as an endpoint does, and refuses the same", async () => {
		const server = await live({ authenticate, authorize });
		const cases = [
			// 400: the endpoint has let it in, and misses its id.
			["ann", 400, undefined],
			["wrong", 401, "ERR_AUTHENTICATION"],
			[undefined, 401, "ERR_AUTHENTICATION"],
			["banned", 403, "ERR_AUTHENTICATION"],
			["away", 503, "ERR_AUTHENTICATION_UNAVAILABLE"],
			["breaks", 500, "ERR_AUTHENTICATION"],
		] as const;
		for (const [name, status, code] of cases) {
			assert.equal(await statusOf(server.port, name), status, name);
			const found = server.hub.authenticateForwarded(name === undefined ? REQUEST : withUser(name));
			if (code === undefined) assert.deepEqual(await found, { id: name });
			else await assert.rejects(found, { name: "TrunklineError", code });
		}
		await server.close();
	});

	it("lets everybody in, as nobody, where a hub asks nobody", async () => {
		assert.equal(await createHub()().authenticateForwarded(REQUEST), undefined);
	});

	it("gives up where it takes longer than authenticateTimeoutMs", async () => {
		const clock = new ManualClock();
		const never = deferred<undefined>();
		const hub = createHub()({ clock, authenticateTimeoutMs: 1_000, authenticate: () => never.promise });
		const found = hub.authenticateForwarded(REQUEST);
		clock.advance(1_000);
		await assert.rejects(found, { code: "ERR_AUTHENTICATION_UNAVAILABLE" });
	});

	it("says why in the log, and nothing of it in its error", async () => {
		const log = collectingLog();
		const hub = createHub()({ log, authenticate, authorize });
		for (const name of ["wrong", "away", "breaks"]) {
			const refused: unknown = await hub
				.authenticateForwarded(withUser(name))
				.catch((cause: unknown) => cause);
			assert(refused instanceof TrunklineError);
			assert.doesNotMatch(refused.message, /secret|keys/);
		}
		assert.deepEqual(log.lines, [
			"debug A request was not authenticated.",
			"warn A request could not be authenticated.",
			"error A request failed.",
		]);
	});
});
