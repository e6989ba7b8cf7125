import type { AcceptLinksOptions } from "../../../lib/forwarding/index.js";
import { acceptLinks } from "../../../lib/forwarding/index.js";
import { createHub, type Hub, type InvocationContext } from "../../../lib/index.js";
import type { Scene, Station } from "../support/scene.js";

interface Told {
	told(text: string): void;
}

/** An app server's hub for a small session, that takes links as it is told. */
export function appHub(accept: AcceptLinksOptions): Hub {
	type Context = InvocationContext<Told>;
	const hub = createHub<Told>()({
		methods: {
			echo: (_ctx: Context, value: unknown) => value,
			join: (ctx: Context, group: string) => ctx.groups.add(ctx.connectionId, group),
			tell: (ctx: Context, group: string, text: string) => void ctx.clients.group(group).send("told", text),
			async *count(_ctx: Context, to: number) {
				for (let at = 0; at < to; at++) yield at;
			},
		},
	});
	return hub.use(acceptLinks(accept)) as unknown as Hub;
}

/** What clients of a proxy heard. */
export interface Heard {
	readonly answers: unknown[];
	readonly told: string[];
}

/** How the scenario waits for what nobody answers. */
export interface Pauses {
	/** The app server was told of so many clients. */
	opened(count: number): Promise<void>;
	/** It has said of so many that it is done with them. */
	closed(count: number): Promise<void>;
}

/** A small session, one thing after another: two clients come, call, stream, join, are told, and leave. */
export async function session(scene: Scene, proxy: Station, pauses: Pauses): Promise<Heard> {
	const heard: Heard = { answers: [], told: [] };
	const clients = [];
	for (const [at, name] of ["a", "b"].entries()) {
		const client = await scene.client(proxy.url);
		client.connection.on("told", (text: string) => {
			heard.told.push(`${name}: ${text}`);
			scene.watch.changed();
		});
		clients.push(client);
		await pauses.opened(at + 1);
	}
	for (const client of clients) {
		heard.answers.push(await client.invoke("echo", { text: "grüße", list: [1, null, true] }));
		heard.answers.push(await client.invoke("join", "room"));
	}
	const [first] = clients;
	heard.answers.push(await first?.invoke("tell", "room", "hello"));
	await scene.until(() => heard.told.length === 2);
	const items: unknown[] = [];
	await new Promise<void>((complete, error) => {
		first?.connection.stream("count", 2).subscribe({ next: (item) => items.push(item), complete, error });
	});
	heard.answers.push(items);
	for (const [at, client] of clients.entries()) {
		await client.stop();
		await pauses.closed(at + 1);
	}
	return heard;
}

/** What they hear, whoever is at the other end. */
export const EXPECTED: Heard = {
	answers: [
		{ text: "grüße", list: [1, null, true] },
		null,
		{ text: "grüße", list: [1, null, true] },
		null,
		null,
		[0, 1],
	],
	told: ["a: hello", "b: hello"],
};
