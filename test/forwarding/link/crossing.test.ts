import assert from "node:assert/strict";
import type { Frame } from "../../../lib/forwarding/wire/index.js";
import { type ClientProxy, ManualClock } from "../../../lib/index.js";
import { messagePackProtocol, readMessagePack, writeLengthPrefix } from "../../../lib/protocols/index.js";
import { RawClient } from "../../hub/live.js";
import { PlayedProxy } from "../native/played-proxy.js";
import { dataOf, helloOf } from "../native/played-segments.js";
import { LinkTap } from "../recorded/link-tap.js";
import { framesOf, toldIn } from "../recorded/recording.js";
import { type Client, range, Scene, type Station } from "../support/scene.js";

const MEMBERS = 24;
const PING = Buffer.of(1, 0);

describe("forwarding/link/crossing", () => {
	let scene: Scene;
	beforeEach(() => {
		scene = new Scene("native");
	});
	afterEach(() => scene.close());

	/** A proxy with one link, on which is read what both ends say. */
	async function tapped(app: Station): Promise<{ readonly proxy: Station; readonly tap: LinkTap }> {
		const tap = scene.keep(await LinkTap.open(app.url, scene.watch));
		const authenticate = ({ headers }: { readonly headers: NodeJS.Dict<string | string[]> }) => ({
			id: String(headers["x-user"]),
		});
		return { tap, proxy: await scene.proxy(tap.url, { connectionPoolSize: 1 }, { authenticate }) };
	}

	it("has one frame for its proxy of what goes to all, groups or users, however many clients that are", async () => {
		const app = await scene.app();
		const { proxy, tap } = await tapped(app);
		const clients: Client[] = [];
		for (const at of range(MEMBERS)) {
			const headers = { "X-User": at % 2 === 0 ? "ada" : "bob" };
			clients.push(await scene.client(proxy.url, { messagepack: at % 3 === 0, headers }));
		}
		await scene.until(() => app.connected.length === MEMBERS);
		const ids = clients.map(({ id }) => id);
		for (const [at, id] of ids.entries()) await app.hub.groups.add(id, at < MEMBERS / 2 ? "left" : "right");
		const { clients: to } = app.hub;
		const isEven = (at: number): boolean => at % 2 === 0;
		const rows: readonly [audience: ClientProxy, isMeant: (at: number) => boolean][] = [
			[to.all, () => true],
			[to.all.except(...ids.slice(0, 2)), (at) => at >= 2],
			[to.group("left"), (at) => at < MEMBERS / 2],
			[to.groups(["left", "right"]), () => true],
			[to.group("right").except(...ids.slice(-2)), (at) => at >= MEMBERS / 2 && at < MEMBERS - 2],
			[to.user("ada"), isEven],
			[to.users(["ada", "bob"]), () => true],
			[to.clients(ids.filter((_, at) => isEven(at))), isEven],
		];
		const spoken = (): Frame[] =>
			framesOf(toldIn(tap.written), "app").filter(({ type }) => type === "send" || type === "record");
		for (const [row, [audience, isMeant]] of rows.entries()) {
			const before = spoken().length;
			void audience.send("Response_VM", ["V", row]);
			const meant = clients.filter((_, at) => isMeant(at));
			await scene.until(() => meant.every(({ responses }) => responses.at(-1)?.[1] === row));
			assert.deepEqual(
				spoken()
					.slice(before)
					.map(({ type }) => type),
				["send"],
				`row ${row}`,
			);
		}
		for (const [at, { responses }] of clients.entries())
			assert.deepEqual(
				responses.map(([, row]) => row),
				range(rows.length).filter((row) => rows[row]?.[1](at)),
			);
	});

	it("takes arguments up as the bytes that the client wrote, in json and in messagepack", async () => {
		const app = await scene.app();
		const { proxy, tap } = await tapped(app);
		const text = '[ "V" , { "b" : 1.50e0, "a":"\\u0041\\/", "b": -0 } ]';
		const json = await RawClient.open(proxy.port, "/dotnetify");
		scene.keep({ close: () => json.webSocket.terminate() });
		await json.handshake();
		json.send(`{"target":"Update_VM", "arguments": ${text} ,"type":1}`);
		// An array of "V" and 1, with more bytes than either needs.
		const bytes = Buffer.of(0xdc, 0, 2, 0xd9, 1, 0x56, 0xcd, 0, 1);
		const record = Buffer.concat([Buffer.of(0x95, 1, 0x80, 0xc0, 0xa9), Buffer.from("Update_VM"), bytes]);
		const packed = await RawClient.open(proxy.port, "/dotnetify");
		scene.keep({ close: () => packed.webSocket.terminate() });
		packed.send({ protocol: messagePackProtocol.name, version: 1 });
		await packed.next();
		packed.webSocket.send(Buffer.concat([writeLengthPrefix(record.length), record]));
		await scene.until(() => app.calls.length === 2);
		const crossed = framesOf(toldIn(tap.written), "proxy").flatMap((frame) =>
			frame.type === "message" && "arguments" in frame.message ? frame.message.arguments : [],
		);
		assert.deepEqual(
			crossed.toSorted((one, two) => two.length - one.length).map((each) => each.toString("latin1")),
			[text, bytes.toString("latin1")],
		);
		assert.deepEqual(readMessagePack(bytes), ["V", 1]);
		assert.deepEqual(
			app.calls.map(({ data }) => JSON.stringify(data)).toSorted(),
			["1", '{"b":0,"a":"A/"}'].toSorted(),
		);
	});

	it("pings a link on which it says nothing, and gives one up on which nothing came for 15 s", async () => {
		const clock = new ManualClock();
		const app = await scene.app({ accept: { trusted: ["127.0.0.1"] }, clock });
		const [silent, alive] = [
			scene.keep(await PlayedProxy.open(app.url, scene.watch)),
			scene.keep(await PlayedProxy.open(app.url, scene.watch)),
		];
		for (const [at, proxy] of [silent, alive].entries()) {
			const instance = Buffer.alloc(16, at + 1);
			proxy.send(helloOf("proxy", { instance, session: instance }));
			proxy.send(dataOf(Buffer.alloc(0)));
		}
		await scene.until(() => app.hub.counters.get("linkSessions") === 2);
		const pings = (proxy: PlayedProxy): number =>
			proxy.told.filter(({ segment }) => segment.kind === "ping").length;
		for (let seconds = 5; seconds <= 20; seconds += 5) {
			const before = pings(alive);
			alive.send(PING);
			// What was sent is taken before time goes on.
			for (let turns = 0; turns < 50; turns++) await new Promise((resolve) => setImmediate(resolve));
			if (seconds <= 15) assert.equal(silent.isClosed, false, `after ${seconds - 5} s`);
			clock.advance(5_000);
			if (seconds > 5) await scene.until(() => pings(alive) > before);
		}
		await scene.until(() => silent.isClosed);
		assert.deepEqual([silent.isClosed, alive.isClosed], [true, false]);
	});
});
