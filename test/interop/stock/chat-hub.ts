import {
	type CallerClients,
	createHub,
	type Hub,
	HubException,
	type HubOptions,
} from "../../../lib/index.js";

/** What a chat message looks like on the wire: like a view model's, which is all that dotNetify's links carry back. */
function response(data: unknown): [string, string] {
	return ["Chat", JSON.stringify(data)];
}

function remembered(items: ReadonlyMap<string, unknown>): readonly unknown[] {
	return (items.get("remembered") ?? []) as readonly unknown[];
}

/** A hub of an application: its own methods, groups and users. */
export function chatHub(options: HubOptions = {}): Hub {
	return createHub()({
		...options,
		methods: {
			echo: (_ctx, value: unknown) => value,
			sum: (_ctx, ...numbers: number[]) => numbers.reduce((sum, number) => sum + number, 0),
			whoami: ({ connectionId, user }) => ({ connectionId, user: user?.id ?? null }),
			nothing: () => undefined,
			remember({ connection }, value: unknown) {
				connection.items.set("remembered", [...remembered(connection.items), value]);
			},
			remembered: ({ connection }) => remembered(connection.items),
			async slow(_ctx, ms: number) {
				await new Promise((resolve) => setTimeout(resolve, ms));
				return ms;
			},
			fail(_ctx, text: string) {
				throw new HubException(text);
			},
			crash() {
				throw new Error("the password is 1234");
			},
			async join({ groups, connectionId }, group: string) {
				await groups.add(connectionId, group);
			},
			async leave({ groups, connectionId }, group: string) {
				await groups.remove(connectionId, group);
			},
			say: ({ clients }, audience: Audience, names: readonly string[], text: string) =>
				AUDIENCES[audience](clients, names).send("Response_VM", response({ text })),
		},
	});
}

/** Whom the stock clients ask to send to. */
const AUDIENCES = {
	all: (clients: CallerClients) => clients.all,
	others: (clients: CallerClients) => clients.others,
	caller: (clients: CallerClients) => clients.caller,
	client: (clients: CallerClients, [id = ""]: readonly string[]) => clients.client(id),
	clients: (clients: CallerClients, ids: readonly string[]) => clients.clients(ids),
	group: (clients: CallerClients, [group = ""]: readonly string[]) => clients.group(group),
	groups: (clients: CallerClients, groups: readonly string[]) => clients.groups(groups),
	othersInGroup: (clients: CallerClients, [group = ""]: readonly string[]) => clients.othersInGroup(group),
	user: (clients: CallerClients, [user = ""]: readonly string[]) => clients.user(user),
	users: (clients: CallerClients, users: readonly string[]) => clients.users(users),
	allExcept: (clients: CallerClients, ids: readonly string[]) => clients.all.except(...ids),
	groupExcept: (clients: CallerClients, [group = "", ...ids]: readonly string[]) =>
		clients.group(group).except(...ids),
	userExcept: (clients: CallerClients, [user = "", ...ids]: readonly string[]) =>
		clients.user(user).except(...ids),
} as const;

export type Audience = keyof typeof AUDIENCES;
