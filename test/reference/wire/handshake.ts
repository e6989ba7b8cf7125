import assert from "node:assert/strict";
import type { RawClient } from "../raw-client.js";
import { recordOf } from "../raw-client.js";
import type { Scene } from "../scene.js";

const FAILED = "An unexpected error occurred during connection handshake.";

/** Handshakes that are refused, and the error of the answer. */
const REFUSED: readonly (readonly [request: object | string, error: string])[] = [
	[{ protocol: "nope", version: 1 }, "The protocol 'nope' is not supported."],
	[{ protocol: "", version: 1 }, "The protocol '' is not supported."],
	[{ protocol: "json", version: 3 }, "The server does not support version 3 of the 'json' protocol."],
	[{ protocol: "JSON", version: 99 }, "The server does not support version 99 of the 'JSON' protocol."],
	[{ protocol: "json" }, FAILED],
	[{ version: 1 }, FAILED],
	[{ protocol: 1, version: 1 }, FAILED],
	[{ protocol: "json", version: "1" }, FAILED],
	[{ protocol: "json", version: 1.5 }, FAILED],
	[{ protocol: null, version: 1 }, FAILED],
	["[]", FAILED],
	["null", FAILED],
	["", FAILED],
	["not json", FAILED],
	[{ type: 1, target: "Add", arguments: [1, 2], invocationId: "1" }, FAILED],
];

/** The first record of a connection. */
export function handshakeContract(scene: () => Scene): void {
	describe("handshake", () => {
		const answered = async (raw: RawClient): Promise<void> => {
			raw.invoke("1", "Add", 1, 2);
			assert.deepEqual(await raw.take(2), [{}, { type: 3, invocationId: "1", result: 3 }]);
		};

		it("is answered with an empty object, for every version up to 2", async () => {
			for (const version of [0, 1, 2]) {
				const raw = await scene().socket();
				raw.send({ protocol: "json", version });
				await answered(raw);
			}
		});

		it("takes the protocol's name in any case, and ignores what it does not know", async () => {
			const raw = await scene().socket();
			raw.send({ more: { is: [1] }, version: 1, protocol: "JsOn" });
			await answered(raw);
		});

		it("may come in a binary frame, byte by byte", async () => {
			const raw = await scene().socket();
			for (const byte of Buffer.from(recordOf({ protocol: "json", version: 1 })))
				raw.webSocket.send(Buffer.from([byte]));
			await answered(raw);
		});

		it("may come in one frame with the first calls", async () => {
			const raw = await scene().socket();
			const call = (invocationId: string): object => ({
				...{ type: 1, invocationId, target: "Add", arguments: [1, 2] },
			});
			raw.send({ protocol: "json", version: 1 }, call("1"), call("2"));
			assert.deepEqual(await raw.take(3), [
				{},
				{ type: 3, invocationId: "1", result: 3 },
				{ type: 3, invocationId: "2", result: 3 },
			]);
		});

		it("is answered before anything that the hub says when a client comes", async () => {
			const raw = await scene().socket("/hub?welcome");
			raw.send({ protocol: "json", version: 1 });
			assert.deepEqual(await raw.take(2), [{}, { type: 1, target: "said", arguments: ["welcome"] }]);
		});

		for (const [request, error] of REFUSED) {
			it(`is refused: ${typeof request === "string" ? `"${request}"` : JSON.stringify(request)}`, async () => {
				const raw = await scene().socket();
				raw.send(request);
				assert.deepEqual(await raw.last(), { said: [{ error }], code: "1000 " });
			});
		}

		it("is refused above 32 KiB without an end", async () => {
			const raw = await scene().socket();
			raw.webSocket.send(`{"protocol":"${"x".repeat(40_000)}`);
			assert.deepEqual(await raw.last(), { said: [{ error: "Handshake was canceled." }], code: "1000 " });
		});

		it("is refused where it takes too long", async () => {
			const raw = await scene().socket("/hasty");
			raw.webSocket.send('{"protocol":');
			assert.deepEqual(await raw.last(), { said: [{ error: "Handshake was canceled." }], code: "1000 " });
		});

		it("is all that a client gets whom the hub refuses when it comes, but for the reason", async () => {
			const raw = await scene().socket("/hub?refuse=boo");
			raw.send({ protocol: "json", version: 1 });
			assert.deepEqual(await raw.last(), {
				said: [{}, { type: 7, error: "Connection closed with an error. HubException: boo" }],
				code: "1000 ",
			});
		});
	});
}
