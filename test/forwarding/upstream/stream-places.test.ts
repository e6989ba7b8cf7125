import assert from "node:assert/strict";
import { type Deferred, deferred } from "../../../lib/base/index.js";
import { acceptLinks } from "../../../lib/forwarding/index.js";
import { ForwardedClient } from "../../../lib/forwarding/upstream/forwarded-client.js";
import type { RemoteClient } from "../../../lib/forwarding/upstream/remote-client.js";
import {
	type ClientConnection,
	createHub,
	createServer,
	type InvocationContext,
	type Server,
} from "../../../lib/index.js";
import { Arguments, MessageType } from "../../../lib/protocols/index.js";
import { FakeWire, identityOf, settle } from "../../hub/fakes.js";
import { range, Scene, SECRET } from "../support/scene.js";

/** Streams that a client may have, at the proxy and at the app server. */
const MOST = 2;

describe("forwarding/upstream, places of streams", () => {
	let scene: Scene;
	let server: Server;
	let wire: FakeWire;
	let client: ClientConnection;
	/** The same client at the app server. */
	let there: ClientConnection;
	let gate: Deferred<void>;

	beforeEach(async () => {
		scene = new Scene("native");
		gate = deferred();
		const hub = createHub()({
			maxStreamsPerConnection: MOST,
			methods: {
				async *idle({ signal }: InvocationContext) {
					yield 1;
					await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
				},
				async *stuck() {
					yield 1;
					await gate.promise;
				},
			},
		}).use(acceptLinks({ secrets: [SECRET] }));
		const opened = deferred<ClientConnection>();
		hub.on("connected", ({ connection }) => opened.resolve(connection));
		server = createServer().map("/dotnetify", hub);
		const { url } = await server.listen(0, "127.0.0.1");
		const proxy = await scene.proxy(url, {}, { maxStreamsPerConnection: MOST });
		wire = new FakeWire();
		const send = wire.send.bind(wire);
		wire.send = (message) => {
			send(message);
			scene.watch.changed();
		};
		client = proxy.hub.open(identityOf("c"), wire);
		there = await opened.promise;
	});

	afterEach(async () => {
		gate.resolve();
		await client.ended({ kind: "closed" });
		await scene.close();
		await server.close();
	});

	/** What the client is told of a call: its items, and `null` or the error at its end. */
	const told = (id: string): unknown[] =>
		wire.sent.flatMap((message) => {
			if (!("invocationId" in message) || message.invocationId !== id) return [];
			if (message.type === MessageType.StreamItem) return [message.item];
			return message.type === MessageType.Completion ? [message.error ?? null] : [];
		});

	async function stream(id: string, target: string): Promise<void> {
		await client.receive({
			...{ type: MessageType.StreamInvocation, invocationId: id, target },
			arguments: Arguments.of([]),
		});
		await scene.until(() => told(id).length > 0);
		await settle();
	}

	async function cancel(id: string): Promise<void> {
		await client.receive({ type: MessageType.CancelInvocation, invocationId: id });
		await scene.until(() => told(id).length > 1);
		await settle();
	}

	it("are free at both ends when a stream was cancelled, as often as a client does it", async () => {
		for (let at = 0; at < 4 * MOST; at++) {
			await stream(`${at}`, "idle");
			await cancel(`${at}`);
			assert.deepEqual(told(`${at}`), [1, null]);
			assert.equal(client.streams.size, 0);
		}
		await stream("last", "stuck");
		assert.deepEqual([client.streams.size, there.streams.size], [1, 1]);
	});

	it("are kept at the app server while generators run that heed no cancel", async () => {
		for (let at = 0; at < MOST; at++) {
			await stream(`${at}`, "stuck");
			await cancel(`${at}`);
		}
		await stream("refused", "stuck");
		assert.deepEqual(told("refused"), ["This connection has 2 streams open; 2 are allowed at once."]);
		assert.deepEqual([client.streams.size, there.streams.size], [0, MOST]);
		gate.resolve();
		await settle();
		assert.equal(there.streams.size, 0);
		await stream("taken", "idle");
		assert.deepEqual(told("taken"), [1]);
		assert.deepEqual([client.streams.size, there.streams.size], [1, 1]);
	});
});

const PLACE = { callOf: () => undefined } as unknown as RemoteClient;

function clientOf(uploading: ReadonlySet<string>): ForwardedClient {
	const streams = { isUploading: (id: string) => uploading.has(id) };
	return new ForwardedClient({ streams } as unknown as ClientConnection);
}

describe("forwarding/upstream/forwarded-client", () => {
	it("knows where what comes of a stream goes until its end", () => {
		const client = clientOf(new Set(["a", "b"]));
		client.opened(["a", "b"], PLACE);
		client.closed("a");
		assert.deepEqual([client.remoteOf("a"), client.remoteOf("b")], [undefined, PLACE]);
		client.left(PLACE);
		assert.equal(client.remoteOf("b"), undefined);
	});

	it("forgets the streams of calls that were refused or answered, however many there are, and none that goes on", () => {
		const client = clientOf(new Set(["long"]));
		client.opened(["long"], PLACE);
		for (const call of range(1_000))
			client.opened(
				range(10).map((at) => `${call}.${at}`),
				PLACE,
			);
		const known = range(1_000).flatMap((call) =>
			range(10).filter((at) => client.remoteOf(`${call}.${at}`) !== undefined),
		);
		assert.ok(known.length <= 128, `${known.length} are known`);
		assert.equal(client.remoteOf("long"), PLACE);
	});

	it("forgets none while messages of the client wait: the end of one may be among them", () => {
		for (const held of [{ waiting: 1 }, { parked: [] }]) {
			const client = Object.assign(clientOf(new Set()), held);
			client.opened(range(200).map(String), PLACE);
			assert.equal(client.remoteOf("0"), PLACE);
		}
	});
});
