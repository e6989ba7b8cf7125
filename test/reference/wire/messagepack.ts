import assert from "node:assert/strict";
import { Packr } from "msgpackr";
import { ask, EventStream, negotiate } from "../http-client.js";
import type { RawClient } from "../raw-client.js";
import { recordOf } from "../raw-client.js";
import type { Scene } from "../scene.js";

const HANDSHAKE = recordOf({ protocol: "messagepack", version: 1 });
/** The Close of a failed connection. */
const CLOSED = framed([7, "Connection closed with an error.", true]);
const ADD = [1, {}, "1", "Add", [1, 2]];
const THREE = framed([3, {}, "1", 3, 3]);

function framed(message: unknown): Buffer {
	const body = new Packr({ useRecords: false, variableMapSize: true }).pack(message);
	const prefix = body.length < 128 ? [body.length] : [(body.length & 127) | 128, body.length >> 7];
	return Buffer.concat([Buffer.from(prefix), body]);
}

/** The messagepack protocol by hand. ASP.NET Core has it in a package only: this follows what was measured on that. */
export function messagePackContract(scene: () => Scene): void {
	describe("messagepack", () => {
		const shaken = async (): Promise<RawClient> => {
			const raw = await scene().socket();
			raw.webSocket.send(HANDSHAKE);
			assert.equal((await raw.bytes(3)).toString(), "{}\u001e");
			raw.frames.length = 0;
			return raw;
		};
		const answers = async (raw: RawClient, expected: Buffer): Promise<void> => {
			assert.deepEqual(await raw.bytes(expected.length), expected);
			raw.frames.length = 0;
		};

		it("is answered in binary frames, the handshake too, whatever frames the client sends", async () => {
			for (const handshake of [HANDSHAKE, Buffer.from(HANDSHAKE)]) {
				const raw = await scene().socket();
				raw.webSocket.send(handshake);
				await raw.bytes(3);
				raw.webSocket.send(framed(ADD));
				await raw.bytes(3 + THREE.length);
				assert.deepEqual([...new Set(raw.frames.map(({ isBinary }) => isBinary))], [true]);
			}
		});

		it("may be cut anywhere, and several messages may be in one frame", async () => {
			const raw = await shaken();
			const long = framed([1, {}, "1", "LengthOf", ["x".repeat(300)]]);
			for (const byte of long) raw.webSocket.send(Buffer.from([byte]));
			await answers(raw, framed([3, {}, "1", 3, 300]));
			raw.webSocket.send(Buffer.concat([framed(ADD), framed(ADD)]));
			await answers(raw, Buffer.concat([THREE, THREE]));
		});

		it("takes calls with stream ids and without, with headers, and with items behind the known ones", async () => {
			const raw = await shaken();
			for (const rest of [[], [[]], [[], "more", 1]]) {
				raw.webSocket.send(framed([...ADD, ...rest]));
				await answers(raw, THREE);
			}
			raw.webSocket.send(framed([1, { a: "b" }, "1", "Add", [1, 2]]));
			await answers(raw, THREE);
		});

		it("ends a void method with nil, a stream with nothing, and a failed call with its text", async () => {
			const raw = await shaken();
			raw.webSocket.send(framed([1, {}, "1", "Nothing", []]));
			await answers(raw, framed([3, {}, "1", 3, null]));
			raw.webSocket.send(framed([4, {}, "1", "Counter", [1]]));
			await answers(raw, Buffer.concat([framed([2, {}, "1", 1]), framed([3, {}, "1", 2])]));
			raw.webSocket.send(framed([1, {}, "1", "Fail", []]));
			const text = "An unexpected error occurred invoking 'Fail' on the server.";
			await answers(raw, framed([3, {}, "1", 1, text]));
		});

		it("sends calls with nil for no id, and always with stream ids", async () => {
			const raw = await shaken();
			raw.webSocket.send(framed([1, {}, null, "SayTwo", ["told", null, 1]]));
			await answers(raw, framed([1, {}, null, "told", [null, 1], []]));
		});

		it("sends a Close of three items, and takes one of two", async () => {
			const raw = await shaken();
			raw.webSocket.send(framed([7, null]));
			assert.equal(await raw.closed, "1000 ");
			await answers(raw, Buffer.from([4, 0x93, 7, 0xc0, 0xc2]));
		});

		it("goes on behind an unknown type, an ignored Completion, and a Ping", async () => {
			const raw = await shaken();
			for (const message of [[99, {}], [3, {}, "none", 2], [6], ADD]) raw.webSocket.send(framed(message));
			await answers(raw, THREE);
		});

		it("is refused on Server-Sent Events, which carry text", async () => {
			const hub = `${scene().subject.url}/hub`;
			const { connectionToken = "" } = await negotiate(hub);
			const url = `${hub}?id=${encodeURIComponent(connectionToken)}`;
			const stream = await EventStream.open(url);
			await ask(url, { method: "POST", body: HANDSHAKE });
			await stream.ended;
			const error =
				"Cannot use the 'messagepack' protocol on the current transport. The transport does not support 'Binary' transfer format.";
			assert.equal(stream.text, `:\r\ndata: ${JSON.stringify({ error })}\u001e\r\n\r\n`);
		});

		for (const [name, bytes] of [
			["an empty record", Buffer.from([0])],
			["no array", framed({ type: 6 })],
			["a type that is no number", framed(["6"])],
			["headers that are no map", framed([1, null, "1", "Add", [1, 2]])],
			["no target", framed([1, {}, "1", null, []])],
			["an empty target", framed([1, {}, "1", "", []])],
			["arguments that are no array", framed([1, {}, "1", "Add", 1])],
			["a stream without id", framed([4, {}, null, "Counter", [1]])],
			["an unknown kind of result", framed([3, {}, "s999999", 4, 1])],
			["a length of more than five bytes", Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0x01])],
			["a length beyond the limit", Buffer.from([0xff, 0xff, 0xff, 0x7f])],
			["bytes that are no messagepack", Buffer.from([2, 0xc1, 0xc1])],
		] as const) {
			it(`ends the connection: ${name}`, async () => {
				const raw = await shaken();
				raw.webSocket.send(bytes);
				assert.equal(await raw.closed, "1000 ");
				await answers(raw, CLOSED);
			});
		}
	});
}
