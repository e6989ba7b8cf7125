import assert from "node:assert/strict";
import { get } from "node:http";
import { setImmediate as nextTurn } from "node:timers/promises";
import fc from "fast-check";
import { writeEvent } from "../../../lib/transports/carriers/server-sent-events.js";
import { ask, negotiated, openWebSocket, type Served, serve, upgradeRaw } from "../serve.js";
import { ServerSentEventsClient } from "./http-clients.js";

/** What an EventSource makes of a stream: the data of its events (HTML Standard, "Interpreting an event stream"). */
function read(stream: string): string[] {
	const events: string[] = [];
	let data: string[] = [];
	for (const line of stream.split(/\r\n|\n|\r/)) {
		if (line === "" && data.length > 0) {
			events.push(data.join("\n"));
			data = [];
		}
		if (line.startsWith("data:")) data.push(line.slice(line[5] === " " ? 6 : 5));
	}
	return events;
}

describe("transports/carriers/server-sent-events: an event", () => {
	it("is one data line and an empty one", () => {
		assert.equal(writeEvent(Buffer.from("{}\x1e")).toString(), "data: {}\x1e\r\n\r\n");
	});

	it("has a line for each of the payload's", () => {
		assert.equal(
			writeEvent(Buffer.from("a\nb\r\nc\n")).toString(),
			"data: a\r\ndata: b\r\ndata: c\r\ndata: \r\n\r\n",
		);
	});

	it("gives back any payload whose lines end with LF", () => {
		const payload = fc.string({ unit: "grapheme" }).map((text) => text.replaceAll("\r", ""));
		fc.assert(
			fc.property(
				fc.array(
					payload.filter((text) => text.length > 0),
					{ minLength: 1 },
				),
				(payloads) => {
					const stream = Buffer.concat(payloads.map((text) => writeEvent(Buffer.from(text)))).toString();
					assert.deepEqual(read(stream), payloads);
				},
			),
		);
	});
});

describe("transports/carriers/server-sent-events", () => {
	let served: Served;
	let path: string;
	beforeEach(async () => {
		served = await serve();
		path = `/chat?id=${(await negotiated(served.port)).connectionToken}`;
	});
	afterEach(() => served.close());

	const open = (): Promise<ServerSentEventsClient> =>
		new ServerSentEventsClient({ port: served.port, path }).open();

	it("answers with the headers that keep a stream open, and a comment at once", async () => {
		const client = await open();
		const { statusCode, headers } = client.response ?? {};
		assert.equal(statusCode, 200);
		const {
			"content-type": type,
			"cache-control": cache,
			pragma,
			"content-encoding": encoding,
		} = headers ?? {};
		assert.deepEqual(
			[type, cache, pragma, encoding],
			["text/event-stream", "no-cache,no-store", "no-cache", "identity"],
		);
		assert.equal(headers?.["x-accel-buffering"], "no");
		assert.equal(headers?.["transfer-encoding"], "chunked");
		while (client.raw === "") await nextTurn();
		assert.equal(client.raw, ":\r\n");
		const { connection } = served.owners[0] ?? {};
		assert.deepEqual([connection?.transport, connection?.formats], ["ServerSentEvents", ["Text"]]);
		assert.equal(connection?.hasInherentKeepAlive, false);
	});

	it("needs an entry that is text/event-stream and nothing more: else it is a poll", async () => {
		const { status, headers } = await ask(served.port, path, {
			method: "GET",
			headers: { Accept: "text/event-stream;q=0.5" },
		});
		assert.deepEqual([status, headers["content-type"]], [200, "application/octet-stream"]);
	});

	it("is asked for in any case, also among others", async () => {
		const response = await new Promise<{ headers: Record<string, unknown> }>((resolve) => {
			const headers = { Accept: "application/json, Text/Event-Stream" };
			const sent = get({ host: "127.0.0.1", port: served.port, path, headers }, (found) => {
				resolve(found);
				sent.destroy();
			});
		});
		assert.equal(response.headers["content-type"], "text/event-stream");
	});

	it("is 409 a second time, 400 for another transport, 400 to DELETE, 404 after its end", async () => {
		const client = await open();
		const stream = { method: "GET", headers: { Accept: "text/event-stream" } };
		assert.equal((await ask(served.port, path, stream)).status, 409);
		const poll = await ask(served.port, path, { method: "GET" });
		assert.deepEqual([poll.status, poll.body], [400, "Cannot change transports mid-connection"]);
		assert.match(
			await upgradeRaw(served.port, path),
			/^HTTP\/1\.1 400 [\s\S]*Cannot change transports mid-connection$/,
		);
		const end = await ask(served.port, path, { method: "DELETE" });
		assert.deepEqual(
			[end.status, end.body],
			[400, "Cannot terminate this connection using the DELETE endpoint."],
		);
		served.owners[0]?.connection.close();
		await client.ended;
		for (const method of ["GET", "POST", "DELETE"]) {
			const { status, body } = await ask(served.port, path, { method });
			assert.deepEqual([status, body], [404, "No Connection with that ID"], method);
		}
	});

	it("takes POSTs of any kind, in any pieces, one after another, and answers 200 with nothing", async () => {
		await open();
		const answer = await ask(served.port, path, {
			body: "one ",
			headers: { "Content-Type": "application/json" },
		});
		assert.deepEqual([answer.status, answer.headers["content-type"], answer.body], [200, "text/plain", ""]);
		await ask(served.port, path, { body: "" });
		await ask(served.port, path, { body: "two" });
		assert.equal(served.owners[0]?.bytes.toString(), "one two");
	});

	for (const [when, end] of [
		["at once", (close: () => void) => close()],
		["a little later", (close: () => void) => queueMicrotask(close)],
	] as const) {
		it(`answers 200 to the POST that brings the end (${when}), and 404 to the next`, async () => {
			const client = await open();
			const [owner] = served.owners;
			if (owner) owner.onData = () => end(() => owner.connection.close());
			assert.equal((await ask(served.port, path, { body: "end" })).status, 200);
			await client.ended;
			assert.equal((await ask(served.port, path, { body: "more" })).status, 404);
		});
	}

	it("does not belong to who opened no stream: a POST before it is 404", async () => {
		assert.equal((await ask(served.port, path, { body: "early" })).status, 404);
		await open();
	});

	it("of another user is 403, by whatever verb", async () => {
		const guarded = await serve({ authenticate: ({ headers }) => ({ id: String(headers["x-user"]) }) });
		const ann = { "X-User": "ann" };
		const { connectionToken } = await negotiated(guarded.port, "negotiateVersion=1", ann);
		const own = `/chat?id=${connectionToken}`;
		await new ServerSentEventsClient({ port: guarded.port, path: own }).open(ann);
		for (const method of ["GET", "POST", "DELETE"]) {
			const { status } = await ask(guarded.port, own, { method, headers: { "X-User": "bob" } });
			assert.equal(status, 403, method);
		}
		assert.match(await upgradeRaw(guarded.port, own, ["X-User: bob"]), /^HTTP\/1\.1 403 /);
		assert.equal((await ask(guarded.port, own, { headers: ann, body: "x" })).status, 200);
		await guarded.close();
	});

	it("is not opened for a client that went while it was looked up", async () => {
		let release: () => void = () => {};
		let asked = 0;
		const slow = await serve({
			authenticate: () =>
				asked++ === 0
					? undefined
					: new Promise((resolve) => {
							release = () => resolve(undefined);
						}),
		});
		const { connectionToken } = await negotiated(slow.port);
		const client = new ServerSentEventsClient({ port: slow.port, path: `/chat?id=${connectionToken}` });
		const opened = client.open();
		opened.catch(() => {});
		while (asked < 2) await nextTurn();
		const closed = new Promise((resolve) =>
			slow.server.once("connection", (socket) => socket.once("close", resolve)),
		);
		client.vanish();
		// Another connection of its own shows that the server has handled the end of the first.
		await Promise.race([closed, nextTurn()]);
		while ((await new Promise<number>((done) => slow.server.getConnections((_, count) => done(count)))) > 0) {
			await nextTurn();
		}
		release();
		await nextTurn();
		assert.equal(slow.endpoint.connections, 0);
		await slow.close();
	});

	it("of WebSockets is no stream's: 400", async () => {
		(await openWebSocket(served.port, path.slice(5))).on("error", () => {});
		const { status } = await ask(served.port, path, {
			method: "GET",
			headers: { Accept: "text/event-stream" },
		});
		assert.equal(status, 400);
	});
});
