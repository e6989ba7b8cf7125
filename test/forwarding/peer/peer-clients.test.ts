import assert from "node:assert/strict";
import { deferred } from "../../../lib/base/index.js";
import { NEW_SESSION_FEATURE } from "../../../lib/forwarding/link/link-greeting.js";
import { writeProof } from "../../../lib/forwarding/link-proof.js";
import {
	type Frame,
	FrameReader,
	FrameWriter,
	writeDataSegment,
	writeHelloSegment,
} from "../../../lib/forwarding/wire/index.js";
import { MessageType, writeMessagePack } from "../../../lib/protocols/index.js";
import { until } from "../../hub/live.js";
import { PlayedProxy } from "../native/played-proxy.js";
import { Scene, SECRET, type Station, type StationOptions } from "../support/scene.js";

const WINDOW = 8 * 1024 * 1024;

function opening(client: number, connectionId: unknown): Frame {
	const request = {
		...{ url: "/dotnetify", headers: {}, ip: "203.0.113.7", ips: [], remotePort: 1, localAddress: "::1" },
		...{ localPort: 2, secure: false, host: "example.com" },
	};
	const context = writeMessagePack({ connectionId, protocol: "json", ids: "u1.", request });
	return { type: "open", client, recovered: false, migrated: false, context };
}

function calling(client: number, args: string): Frame {
	const message = {
		...{
			type: MessageType.Invocation,
			encoding: "json" as const,
			target: "Update_VM",
			arguments: Buffer.from(args),
		},
		...{ invocationId: undefined, streamIds: undefined, headers: undefined },
	} as const;
	return { type: "message", client, message };
}

const closing = (client: number): Frame => ({ type: "close", client, reason: "closed", text: "" });

describe("forwarding/peer/peer-clients", () => {
	let scene: Scene;
	beforeEach(() => {
		scene = new Scene("native");
	});
	afterEach(() => scene.close());

	/** An app server, and a proxy's session with it in the test's hands. */
	async function stage(options: Parameters<Scene["app"]>[0] = {}): Promise<{
		readonly app: Station;
		send(...frames: Frame[]): void;
		/** What the app server has said of its clients. */
		said(): string[];
	}> {
		const app = await scene.app(options);
		const proof = writeProof(SECRET, Date.now());
		const proxy = await PlayedProxy.open(app.url, scene.watch, { proof });
		scene.keep({
			async close() {
				proxy.close();
				// The app server does not wait for a proxy that it knows to be gone.
				await until(() => app.hub.links().every(({ links }) => links === 0));
			},
		});
		proxy.send(
			writeHelloSegment({
				...{ versions: [1, 1], role: "proxy", instance: Buffer.alloc(16, 1), session: Buffer.alloc(16, 2) },
				...{ link: 0, incarnation: 1, delivered: 0, window: WINDOW, features: [NEW_SESSION_FEATURE] },
			}),
		);
		let seq = 0;
		const send = (...frames: Frame[]): void => {
			const writer = new FrameWriter();
			for (const frame of frames) writer.write(frame);
			const acks = { links: [], delivered: 0, window: WINDOW };
			proxy.send(writeDataSegment({ seq: ++seq, acks, frames: Buffer.concat(writer.take()) }));
		};
		const said = (): string[] => {
			const reader = new FrameReader("app");
			// What is not acknowledged comes again.
			const data = new Map(
				proxy.told.flatMap(({ segment }) =>
					segment.kind === "data" ? [[segment.data.seq, segment.data.frames] as const] : [],
				),
			);
			const frames = [...data.values()].flatMap((bytes) => reader.read(bytes));
			return frames.map((frame) => ("client" in frame ? `${frame.type} ${frame.client}` : frame.type));
		};
		return { app, send, said };
	}

	/** An app server that finds out who a client is when the test says so. */
	function asking(): { readonly options: StationOptions; readonly answer: () => void } {
		const gate = deferred();
		const authenticate = async (): Promise<undefined> => {
			await gate.promise;
		};
		return { options: { authenticate }, answer: () => gate.resolve() };
	}

	it("refuses one that its proxy tells nonsense of, and keeps the others", async () => {
		const { app, send, said } = await stage();
		send(opening(1, "a"), opening(2, { not: "an id" }), calling(1, '["V",1]'), calling(2, '["V",2]'));
		await until(() => said().includes("abort 2"));
		send(closing(2));
		await until(() => said().includes("closed 2"));
		assert.deepEqual([app.connected, app.calls.length], [["a"], 1]);
		assert.equal(app.hub.counters.get("refusals"), 1);
		// Its number is free.
		send(opening(2, "b"));
		await scene.until(() => app.connected.length === 2);
	});

	it("refuses one more than there may be, and passes over what it says; its number is free when it is closed", async () => {
		const { app, send, said } = await stage({ accept: { secrets: [SECRET], maxClientsPerProxy: 1 } });
		send(opening(1, "a"), opening(2, "b"), calling(2, '["V",2]'), calling(1, '["V",1]'));
		await until(() => said().includes("abort 2"));
		await scene.until(() => app.calls.length === 1);
		assert.deepEqual([app.connected, app.calls.map(({ client }) => client)], [["a"], ["a"]]);
		assert.equal(app.hub.links()[0]?.clients, 1);
		send(closing(2), closing(2), closing(1));
		await until(() => said().includes("closed 1"));
		assert.deepEqual(
			said().filter((each) => each.startsWith("closed")),
			["closed 2", "closed 1"],
		);
		send(opening(2, "c"));
		await scene.until(() => app.connected.length === 2);
		assert.equal(app.hub.counters.get("refusals"), 1);
	});

	it("does not let in one that broke the protocol before it was known who it is", async () => {
		const { options, answer } = asking();
		const { app, send, said } = await stage(options);
		send(opening(1, "a"), calling(1, '["V",'));
		await until(() => said().includes("abort 1"));
		answer();
		send(closing(1));
		await until(() => said().includes("closed 1"));
		assert.deepEqual([app.connected, app.hub.lifetime.size], [[], 0]);
	});

	it("counts what items, results, errors, ids, headers and lists of streams hold, too: their client is held", async () => {
		const { options } = asking();
		const { send, said } = await stage({
			...options,
			accept: { secrets: [SECRET], maxWaitingBytesPerClient: 10_000 },
		});
		const item = Buffer.from(JSON.stringify("i".repeat(6_000)));
		const streamed = {
			...{
				type: MessageType.StreamItem,
				encoding: "json" as const,
				invocationId: "s",
				item,
				headers: undefined,
			},
		} as const;
		const answered = {
			...{ type: MessageType.Completion, encoding: "json" as const, invocationId: "s", result: item },
			...{ error: undefined, headers: undefined },
		} as const;
		const long = "l".repeat(6_000);
		const call = {
			...{ type: MessageType.Invocation, encoding: "json" as const, target: "echo", streamIds: undefined },
			...{ invocationId: undefined, arguments: Buffer.from("[1]"), headers: undefined },
		} as const;
		const streamIds = Array.from({ length: 200 }, () => "s");
		for (const [client, message] of [
			[1, streamed],
			[2, answered],
			[3, { ...answered, result: undefined, error: long }],
			[4, { ...call, invocationId: long }],
			[5, { ...call, headers: { [long]: "value" } }],
			[6, { ...call, streamIds }],
		] as const) {
			const frame: Frame = { type: "message", client, message };
			send(opening(client, `c${client}`), frame, frame);
			await until(() => said().includes(`hold ${client}`));
		}
	});
});
