import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { Random } from "../fuzz/frames/random.js";
import { FAULTS, Faults } from "./faults.js";
import { Relay } from "./relay.js";

/** What came over a socket so far, and a way to wait for more. */
class Inbox {
	text = "";
	readonly #socket: Socket;

	constructor(socket: Socket) {
		this.#socket = socket;
		socket.on("error", () => undefined);
		socket.on("data", (bytes) => {
			this.text += bytes.toString();
		});
	}

	async has(text: string): Promise<void> {
		while (!this.text.includes(text)) await once(this.#socket, "data");
	}
}

/** Resolves when a socket is gone, with an error or without. */
function closed(socket: Socket): Promise<void> {
	return new Promise((resolve) => socket.once("close", () => resolve()));
}

describe("chaos/relay", () => {
	let server: Server;
	let relay: Relay;
	const far: Socket[] = [];
	const near: Socket[] = [];

	/** A connection through the relay: the socket of who connected, and the target's. */
	async function link(): Promise<readonly [Socket, Socket]> {
		const socket = connect(relay.port, "127.0.0.1");
		socket.on("error", () => undefined);
		near.push(socket);
		const [taken] = (await once(server, "connection")) as [Socket];
		taken.on("error", () => undefined);
		far.push(taken);
		return [socket, taken];
	}

	beforeEach(async () => {
		server = createServer();
		server.listen(0, "127.0.0.1");
		await once(server, "listening");
		relay = await Relay.open((server.address() as AddressInfo).port);
	});
	afterEach(async () => {
		for (const socket of [...near.splice(0), ...far.splice(0)]) socket.destroy();
		await relay.close();
		await new Promise((resolve) => server.close(resolve));
	});

	it("passes bytes and ends on, both ways", async () => {
		const [socket, taken] = await link();
		const inboxes = [new Inbox(socket), new Inbox(taken)] as const;
		socket.write("up");
		taken.write("down");
		await Promise.all([inboxes[0].has("down"), inboxes[1].has("up")]);
		assert.equal(relay.head, "up");
		socket.end("last");
		await inboxes[1].has("last");
		await closed(taken);
		assert.equal(relay.taken, 1);
	});

	it("resets one connection, or all", async () => {
		const links = [await link(), await link(), await link()];
		const ends = links.map(([socket]) => closed(socket));
		relay.cutOne(0.5);
		await ends[1];
		assert.equal(links[0]?.[0].destroyed, false);
		relay.cut();
		await Promise.all(ends);
	});

	it("holds bytes back for a while, and then delivers them in order", async () => {
		const [socket, taken] = await link();
		const inbox = new Inbox(taken);
		socket.write("1");
		await inbox.has("1");
		relay.stall(30);
		socket.write("2");
		await new Promise((resolve) => setImmediate(resolve));
		assert.equal(inbox.text, "1");
		socket.write("3");
		await inbox.has("23");
	});

	it("lets nothing through in one direction, and tells nobody", async () => {
		const [socket, taken] = await link();
		const inboxes = [new Inbox(socket), new Inbox(taken)] as const;
		relay.halfOpen("up");
		socket.write("lost");
		taken.write("down");
		await inboxes[0].has("down");
		socket.end();
		taken.write("still");
		await inboxes[0].has("still");
		assert.equal(inboxes[1].text, "");
		assert.equal(taken.readableEnded, false);
	});

	it("puts bytes between others", async () => {
		const [socket, taken] = await link();
		const inbox = new Inbox(taken);
		socket.write("a");
		await inbox.has("a");
		relay.one(0)?.inject("up", Buffer.from("!"));
		await inbox.has("a!");
	});

	it("resets who connects while it is off, and lets them through again", async () => {
		relay.off();
		const refused = connect(relay.port, "127.0.0.1");
		refused.on("error", () => undefined);
		await closed(refused);
		relay.on();
		const [socket, taken] = await link();
		const inbox = new Inbox(taken);
		socket.write("up");
		await inbox.has("up");
	});

	it("takes connections and reads nothing while it holds them, and then ends them", async () => {
		const [socket] = await link();
		relay.hold();
		const late = connect(relay.port, "127.0.0.1");
		late.on("error", () => undefined);
		await once(late, "connect");
		late.write("held");
		const ends = [closed(socket), closed(late)];
		relay.on();
		await Promise.all(ends);
	});

	it("gives connections to its targets in turn", async () => {
		const other = createServer().listen(0, "127.0.0.1");
		await once(other, "listening");
		relay.targets = [...relay.targets, (other.address() as AddressInfo).port];
		const arrivals = [server, other].map((each) => once(each, "connection") as Promise<[Socket]>);
		for (let at = 0; at < 2; at++) near.push(connect(relay.port, "127.0.0.1").on("error", () => undefined));
		for (const [socket] of await Promise.all(arrivals)) far.push(socket.on("error", () => undefined));
		relay.cut();
		await new Promise((resolve) => other.close(resolve));
	});

	it("has the same faults for the same seed", () => {
		const faultsOf = (seed: number): string[] => {
			const faults = new Faults([relay], new Random(seed));
			const struck = Array.from({ length: 50 }, () => faults.strike());
			faults.heal();
			return struck;
		};
		assert.deepEqual(faultsOf(1), faultsOf(1));
		assert.notDeepEqual(faultsOf(1), faultsOf(2));
		assert.deepEqual(new Set(faultsOf(1)), new Set(FAULTS));
	});
});
