import assert from "node:assert/strict";
import { ask, negotiate } from "../http-client.js";
import type { Scene } from "../scene.js";

const TRANSPORTS = [
	{ transport: "WebSockets", transferFormats: ["Text", "Binary"] },
	{ transport: "ServerSentEvents", transferFormats: ["Text"] },
	{ transport: "LongPolling", transferFormats: ["Text", "Binary"] },
];

/** The first request of a client. */
export function negotiateContract(scene: () => Scene): void {
	describe("negotiate", () => {
		const hub = (path = "/hub"): string => scene().subject.url + path;

		it("gives an id, a token that is another, and the transports in their order", async () => {
			const answer = await ask(`${hub()}/negotiate?negotiateVersion=1`, { method: "POST" });
			assert.equal(answer.status, 200);
			assert.match(answer.headers["content-type"] ?? "", /^application\/json/);
			const { connectionId, connectionToken, ...rest } = JSON.parse(answer.text) as Record<string, string>;
			assert.deepEqual(rest, { negotiateVersion: 1, availableTransports: TRANSPORTS });
			assert.match(connectionId ?? "", /^[\w-]{22}$/);
			assert.match(connectionToken ?? "", /^[\w.~-]{22,}$/);
			assert.notEqual(connectionId, connectionToken);
		});

		it("gives no token to a client of version 0, whose id opens the connection", async () => {
			for (const query of ["", "negotiateVersion=0"]) {
				const { connectionId, ...rest } = await negotiate(hub(), query);
				assert.deepEqual(rest, { negotiateVersion: 0, availableTransports: TRANSPORTS });
				const raw = await scene().raw(`/hub?id=${connectionId}`);
				raw.invoke("1", "WhoAmI");
				assert.deepEqual(await raw.next(), { type: 3, invocationId: "1", result: [connectionId, null] });
			}
		});

		it("takes the token as id, in any case of the name, and not the id", async () => {
			for (const name of ["id", "ID"]) {
				const { connectionId, connectionToken = "" } = await negotiate(hub());
				const raw = await scene().raw(`/hub?more=1&${name}=${encodeURIComponent(connectionToken)}`);
				raw.invoke("1", "WhoAmI");
				assert.deepEqual(await raw.next(), { type: 3, invocationId: "1", result: [connectionId, null] });
			}
			const { connectionId } = await negotiate(hub());
			const refused = await ask(`${hub()}?id=${connectionId}`);
			assert.deepEqual([refused.status, refused.text], [404, "No Connection with that ID"]);
		});

		it("answers a newer version with 1, and finds it in any case of the name", async () => {
			for (const query of ["negotiateVersion=99", "NegotiateVersion=1", "a=b&NEGOTIATEVERSION=1"])
				assert.equal((await negotiate(hub(), query)).negotiateVersion, 1);
		});

		it("tells of a version that is no whole number", async () => {
			for (const version of ["x", "1.5", "1e0"]) {
				const answer = await ask(`${hub()}/negotiate?negotiateVersion=${version}`, { method: "POST" });
				assert.equal(answer.status, 200);
				assert.deepEqual(JSON.parse(answer.text), {
					error: "The client requested a non-integer protocol version.",
				});
			}
		});

		it("leaves out transports that the hub does not offer", async () => {
			const { availableTransports } = await negotiate(hub("/websockets"));
			assert.deepEqual(availableTransports, [TRANSPORTS[0]]);
		});

		it("grants stateful reconnect to who asks for it, where the hub has it", async () => {
			const version = "negotiateVersion=1";
			for (const asked of ["useStatefulReconnect=true", "UseStatefulReconnect=True"]) {
				assert.equal((await negotiate(hub("/stateful"), `${version}&${asked}`)).useStatefulReconnect, true);
				assert.equal("useStatefulReconnect" in (await negotiate(hub(), `${version}&${asked}`)), false);
			}
			for (const query of [version, `${version}&useStatefulReconnect=false`])
				assert.equal("useStatefulReconnect" in (await negotiate(hub("/stateful"), query)), false);
		});

		it("takes POST only, with or without a body", async () => {
			for (const method of ["GET", "PUT", "DELETE"]) {
				const answer = await ask(`${hub()}/negotiate?negotiateVersion=1`, { method });
				assert.deepEqual([answer.status, answer.text], [405, ""], method);
				assert.equal(answer.headers["content-type"], "text/plain", method);
			}
			const answer = await ask(`${hub()}/negotiate?negotiateVersion=1`, { method: "POST", body: "more" });
			assert.equal(answer.status, 200);
		});
	});
}
