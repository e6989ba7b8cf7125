import assert from "node:assert/strict";
import { deferred } from "../../../lib/base/index.js";
import type { Frame } from "../../../lib/forwarding/wire/index.js";
import { FrameReader } from "../../../lib/forwarding/wire/index.js";
import { PlayedApp } from "../native/played-app.js";
import { bytesOf, dataOf, helloOf } from "../native/played-segments.js";
import { Scene } from "../support/scene.js";

const toAll = (vmId: string): Frame => ({
	...{ type: "send", selection: { kind: "all", except: [] }, state: undefined },
	records: [
		{
			encoding: "json",
			record: Buffer.from(`{"type":1,"target":"Response_VM","arguments":[["${vmId}","{}"]]}\u001e`),
		},
	],
});

describe("forwarding/link/admitting", () => {
	let scene: Scene;
	beforeEach(() => {
		scene = new Scene("native");
	});
	afterEach(() => scene.close());

	/** An app server in the test's hands, and a client that its proxy has opened there as number 1. */
	async function opened(features: readonly string[], userId?: string) {
		const app = await PlayedApp.open(scene.watch, () => helloOf("app", { features }));
		const authenticate = userId === undefined ? undefined : () => ({ id: userId });
		const proxy = await scene.proxy(app.url, { secret: undefined, connectionPoolSize: 1 }, { authenticate });
		const client = await scene.client(proxy.url);
		const frames = (): Frame[] =>
			app.told.flatMap(({ segment }) =>
				segment.kind === "data" ? new FrameReader("proxy").read(segment.data.frames) : [],
			);
		await scene.until(() => frames().some(({ type }) => type === "open"));
		let seq = 0;
		const say = (...said: Frame[]): void => app.send(dataOf(bytesOf(...said), ++seq));
		return { app, client, say };
	}

	it("keeps what is for all from a client that the app server has not let in", async () => {
		const { app, client, say } = await opened(["admits"]);
		say(toAll("Before"), { type: "admitted", client: 1 }, toAll("Behind"));
		await scene.until(() => client.responses.length > 0);
		assert.deepEqual(client.responses, [["Behind", {}]]);
		await app.close();
	});

	for (const [who, features, userId] of [
		["of whom the proxy has said who it is", ["admits"], "ada"],
		["of an app server that lets everybody in", [], undefined],
	] as const)
		it(`waits for nothing with a client ${who}`, async () => {
			const { app, client, say } = await opened(features, userId);
			say(toAll("At once"));
			await scene.until(() => client.responses.length > 0);
			await app.close();
		});

	it("is what an app server says that authenticates: its clients hear what is for all", async () => {
		const gate = deferred();
		const app = await scene.app({ authenticate: () => gate.promise.then(() => ({ id: "ada" })) });
		const proxy = await scene.proxy(app.url);
		const client = await scene.client(proxy.url);
		await scene.until(() => proxy.hub.links()[0]?.clients === 1);
		gate.resolve();
		await client.invoke("echo", 1);
		app.hub.clients.all.send("Response_VM", ["News", "{}"]);
		await scene.until(() => client.responses.length > 0);
		assert.deepEqual(client.responses, [["News", {}]]);
	});
});
