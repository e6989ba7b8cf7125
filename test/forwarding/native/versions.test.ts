import assert from "node:assert/strict";
import { ManualClock } from "../../../lib/base/index.js";
import {
	type Frame,
	type Hello,
	LINK_VERSIONS,
	type LinkRole,
	MAX_NAME_BYTES,
	writeDataSegment,
	writeHelloSegment,
} from "../../../lib/forwarding/wire/index.js";
import { createServer, type Hub } from "../../../lib/index.js";
import { readMessagePack, writeLengthPrefix, writeMessagePack } from "../../../lib/protocols/index.js";
import { framesOf, recorded, type Told } from "../recorded/recording.js";
import { appHub, EXPECTED, session, tellLoad } from "../recorded/scenario.js";
import { Scene, type Station } from "../support/scene.js";
import { PlayedApp } from "./played-app.js";
import { PlayedProxy } from "./played-proxy.js";

const NATIVE = { secret: undefined, connectionPoolSize: 1, nativeLinks: true } as const;
const TRUSTED = { trusted: ["127.0.0.1"] };
/** Of a type and a kind that nobody knows. */
const UNKNOWN_FRAME = Buffer.of(0x3f, 3, 1, 2, 3);
const UNKNOWN_PARTS = Buffer.of(0x7e, 2, 1, 2, 0x3e, 1, 3);
const UNKNOWN_SEGMENT = Buffer.of(4, 0x2a, 1, 2, 3);

/** What of a frame is the same in every run. */
function essence(frame: Frame): unknown {
	if (frame.type === "open") return { type: frame.type, client: frame.client };
	if (frame.type === "retain") return { ...frame, arguments: frame.arguments.toString() };
	if (frame.type === "record") return { ...frame, record: frame.record.toString() };
	if (frame.type === "send")
		return {
			...frame,
			records: frame.records.map(({ record, ...rest }) => ({ ...rest, record: record.toString() })),
		};
	return frame.type === "message" ? { ...frame, message: JSON.stringify(frame.message) } : frame;
}

const essences = (told: Parameters<typeof framesOf>[0], from: LinkRole): unknown[] =>
	framesOf(told, from).map(essence);

/** A later version's: it offers more, and says more than anybody here knows. */
function fromTheFuture({ bytes, segment }: Told): Buffer[] {
	if (segment.kind === "hello") {
		const { versions, ...fields } = segment.hello;
		const { v, ...others } = { v: [versions[0], versions[1] + 1], ...fields };
		const features = [...segment.hello.features, "f".repeat(MAX_NAME_BYTES), "teleport:2"];
		const map = { later: { a: [1] }, v, ...others, features, __proto__: null };
		const body = Buffer.concat([Buffer.of(1), writeMessagePack(map)]);
		return [Buffer.concat([writeLengthPrefix(body.length), body]), UNKNOWN_SEGMENT];
	}
	if (segment.kind !== "data") return [UNKNOWN_SEGMENT, bytes];
	const frames = Buffer.concat([UNKNOWN_FRAME, segment.data.frames, UNKNOWN_PARTS]);
	return [UNKNOWN_SEGMENT, writeDataSegment({ ...segment.data, frames })];
}

/** A HELLO as it was recorded, with other versions. */
function helloOf(from: LinkRole, versions: Hello["versions"]): Buffer {
	const told = recorded().find(({ from: end, segment }) => end === from && segment.kind === "hello");
	assert.ok(told?.segment.kind === "hello");
	return writeHelloSegment({ ...told.segment.hello, versions });
}

/** An app server that what a proxy said is played to. */
interface PlayedTo {
	readonly hub: Hub;
	readonly url: string;
	/** Brings about what it says by itself, and not because of what a proxy has said. */
	before(frame: Frame): Promise<void>;
}

describe("forwarding/native/versions", () => {
	let scene: Scene;
	beforeEach(() => {
		scene = new Scene("native");
	});
	afterEach(() => scene.close());

	async function appServer(): Promise<PlayedTo> {
		const clock = new ManualClock();
		const hub = appHub(TRUSTED, clock);
		const server = createServer().map("/dotnetify", hub);
		scene.keep({ close: () => server.close() });
		const { url } = await server.listen(0, "127.0.0.1");
		hub.on("connected", () => scene.watch.changed());
		return {
			...{ hub, url },
			async before(frame) {
				if (frame.type === "drain") void server.close();
				if (frame.type !== "load") return;
				await scene.until(() => hub.lifetime.size === frame.clients);
				tellLoad(clock);
			},
		};
	}

	/** Says what a proxy has said, each time behind as much of the app server's as then. */
	async function playProxy(
		{ url, before }: PlayedTo,
		bytesOf: (told: Told) => readonly Buffer[],
	): Promise<PlayedProxy> {
		const proxy = await PlayedProxy.open(url, scene.watch);
		scene.keep(proxy);
		assert.equal(proxy.handshake, "{}");
		let [data, hellos] = [0, 0];
		for (const told of recorded()) {
			if (told.from === "app") {
				const wanted = data;
				await scene.until(() => proxy.dataCount >= wanted);
				for (const frame of framesOf([told], "app")) await before(frame);
				if (told.segment.kind === "data") data++;
				if (told.segment.kind === "hello") hellos++;
				continue;
			}
			const wanted = data;
			await scene.until(() => proxy.dataCount >= wanted && proxy.told.length >= hellos);
			for (const bytes of bytesOf(told)) proxy.send(bytes);
		}
		return proxy;
	}

	/** The same for what an app server has said. */
	async function playApp(
		bytesOf: (told: Told) => readonly Buffer[],
	): Promise<{ readonly app: PlayedApp; readonly proxy: Station; readonly played: Promise<void> }> {
		const [hello, ...rest] = recorded().filter(({ segment }) => segment.kind !== "bye");
		assert.ok(hello?.from === "app" && hello.segment.kind === "hello");
		const app = await PlayedApp.open(scene.watch, () => Buffer.concat(bytesOf(hello)));
		scene.keep(app);
		const proxy = await scene.proxy(app.url, { ...NATIVE, flushTimeoutMs: 20 });
		const play = async (): Promise<void> => {
			let data = 0;
			for (const told of rest) {
				if (told.from === "proxy") {
					if (told.segment.kind === "data") data++;
					continue;
				}
				const wanted = data;
				await scene.until(() => app.dataCount >= wanted);
				for (const bytes of bytesOf(told)) app.send(bytes);
			}
		};
		return { app, proxy, played: play() };
	}

	for (const [title, bytesOf] of [
		["version 1 as it was recorded", ({ bytes }: Told) => [bytes]],
		["a version that knows more", fromTheFuture],
	] as const) {
		it(`an app server works with a proxy of ${title}`, async () => {
			const app = await appServer();
			const { hub } = app;
			const ended: string[] = [];
			hub.on("disconnected", ({ connectionId }, { kind }) => void ended.push(`${connectionId} ${kind}`));
			const proxy = await playProxy(app, bytesOf);
			await scene.until(() => proxy.isClosed);
			assert.deepEqual(essences(proxy.told, "app"), essences(recorded(), "app"));
			const ids = new Map(
				framesOf(recorded(), "proxy").flatMap((frame) => {
					if (frame.type !== "open") return [];
					return [[frame.client, (readMessagePack(frame.context) as { connectionId: string }).connectionId]];
				}),
			);
			const closed = framesOf(recorded(), "app").flatMap((frame) =>
				frame.type === "closed" ? `${ids.get(frame.client)} closed` : [],
			);
			assert.deepEqual([ended, closed.length], [closed, ids.size]);
			assert.equal(hub.counters.get("linkProtocolErrors"), 0);
		});

		it(`a proxy works with an app server of ${title}`, async () => {
			const { app, proxy, played } = await playApp(bytesOf);
			const count = (type: string): number =>
				framesOf(app.told, "proxy").filter((frame) => frame.type === type).length;
			const heard = await session(scene, proxy, {
				count,
				closed: (clients) => scene.until(() => count("close") === clients),
				said: async () => {},
				stopping: () => {},
			});
			await played;
			assert.deepEqual(heard, EXPECTED);
			assert.deepEqual(essences(app.told, "proxy"), essences(recorded(), "proxy"));
			assert.deepEqual(proxy.undeliverable, []);
		});
	}

	it("holds the nineteen kinds of frames that version 1 began with, and all kinds of a client's messages", () => {
		const kinds = (from: LinkRole): string[] =>
			[
				...new Set(recorded().flatMap(({ from: end, segment }) => (end === from ? segment.kind : []))),
			].toSorted();
		// Whether an end has anything to acknowledge apart is a matter of time.
		assert.deepEqual(kinds("proxy"), ["ack", "data", "hello", "ping"]);
		assert.deepEqual(kinds("app"), ["ack", "bye", "data", "hello"]);
		const frames = (from: LinkRole): string[] =>
			[...new Set(framesOf(recorded(), from).map(({ type }) => type))].toSorted();
		assert.deepEqual(
			frames("proxy"),
			["open", "close", "message", "pause", "resume", "resync", "drained"].toSorted(),
		);
		assert.deepEqual(
			frames("app"),
			[
				...["join", "leave", "send", "abort", "retain", "forget", "drain", "load", "record"],
				...["hold", "go", "closed"],
			].toSorted(),
		);
		const messages = framesOf(recorded(), "proxy").flatMap((frame) =>
			frame.type === "message" ? frame.message.type : [],
		);
		assert.deepEqual([...new Set(messages)].toSorted(), [1, 2, 3, 4, 5]);
		const states = framesOf(recorded(), "app").flatMap((frame) =>
			(frame.type === "record" || frame.type === "send") && frame.state
				? `${frame.type} ${frame.state.kind}`
				: [],
		);
		assert.deepEqual(states, ["send state", "record state", "record change", "record whole"]);
		assert.deepEqual(LINK_VERSIONS, [1, 1], "a new version: record it beside this one, and play both");
	});

	it("a proxy of later versions alone gets BYE, and both logs say what to upgrade", async () => {
		const lines: { fields: Record<string, unknown>; message: string }[] = [];
		const app = await scene.app({ accept: TRUSTED });
		for (let times = 0; times < 3; times++) {
			const proxy = await PlayedProxy.open(app.url, scene.watch);
			scene.keep(proxy);
			proxy.send(helloOf("proxy", [2, 3]));
			await scene.until(() => proxy.isClosed);
			assert.equal(proxy.bye?.code, 2);
			assert.match(proxy.bye?.text ?? "", /versions 2 to 3 of native links, and this one 1 to 1/);
		}
		await scene.until(() => app.hub.counters.get("linksLost") === 3);
		for (const { fields, message } of app.logs)
			if (fields["code"] === "ERR_LINK_VERSION") lines.push({ fields, message });
		assert.equal(lines.length, 1, "once, however often it tries");
		assert.match(String(lines[0]?.fields["reason"]), /2 to 3.*1 to 1.*upgrade/);
		assert.equal(app.hub.counters.get("linkRefusals"), 3);
		assert.equal(await (await scene.client(app.url)).invoke("echo", 1), 1);
	});

	it("an app server of later versions alone gets BYE, and the proxy's log says what to upgrade", async () => {
		const app = await PlayedApp.open(scene.watch, () => helloOf("app", [2, 3]));
		scene.keep(app);
		const proxy = await scene.proxy(app.url, { ...NATIVE, connectionPoolSize: 3 });
		await scene.until(() => app.links >= 5);
		assert.equal(app.bye?.code, 2);
		const told = proxy.logs.filter(
			({ level, fields }) => level === "warn" && fields["code"] === "ERR_LINK_VERSION",
		);
		assert.equal(told.length, 1, "once, however often it is tried");
		assert.match(String(told[0]?.fields["reason"]), /2 to 3.*1 to 1.*upgrade/);
		assert.equal(proxy.hub.ready, false);
	});

	it("a proxy that is told BYE for its version says why in its log, and keeps trying", async () => {
		const bye = Buffer.concat([Buffer.of(6, 4, 2, 3), Buffer.from("old")]);
		const app = await PlayedApp.open(scene.watch, () => bye);
		scene.keep(app);
		const proxy = await scene.proxy(app.url, NATIVE);
		await scene.until(() => app.links >= 2);
		const told = proxy.logs.filter(
			({ level, fields }) => level === "warn" && fields["code"] === "ERR_LINK_VERSION",
		);
		assert.match(String(told[0]?.fields["reason"]), /ended the link \(2\): old/);
	});
});
