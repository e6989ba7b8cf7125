/** A difference that we want: what each of the two does, and why ours is another. */
export interface Deviation {
	readonly aspNet: string;
	readonly ours: string;
	readonly why: string;
}

/** What a client can see of a proxy before its hub, if it looks closely. */
export interface ForwardedDeviation {
	readonly direct: string;
	readonly forwarded: string;
	readonly why: string;
}

/**
 * Where our hub differs from ASP.NET Core 10.0 on purpose, as far as the contract suite sees it. Everything else that the
 * suite looks at is the same.
 */
export const DEVIATIONS = {
	"member of several groups": {
		aspNet: "sends a message for several groups to each member once per group",
		ours: "sends it once",
		why: "nobody wants it twice",
	},
	"unknown message type": {
		aspNet: "handles nothing of that connection any more",
		ours: "ignores the message and goes on",
		why: "the protocol says so; theirs is a fault (dotnet/aspnetcore 69285)",
	},
	"types of upload items": {
		aspNet: "ends a call whose upload has an item of another type than the method's parameter",
		ours: "hands the method every item; types do not exist at run time",
		why: "a method that needs it checks its items",
	},
	"arguments that are not UTF-8": {
		aspNet: "hands the method U+FFFD, or refuses the call, by the parameter's type",
		ours: "ends the connection, as for anything else that is no JSON",
		why: "no client sends it by accident, and nobody should work with broken text",
	},
	"JSON at its edges": {
		aspNet:
			"fails only the call where its arguments are broken, and passes over text behind a message; refuses 1.0 for a type, half a surrogate pair, and a wrong type of a field that the message has no use for",
		ours: "takes and refuses what JSON.parse does, and looks at the fields that a message needs",
		why: "no client writes the former; the latter harms nobody",
	},
	"cancel after a refused second stream": {
		aspNet: "forgets how to cancel a stream once a second one with its invocationId was refused",
		ours: "cancels it",
		why: "theirs is a fault",
	},
	"answer without a result": {
		aspNet: "fails a client result whose Completion has neither result nor error, with an empty exception",
		ours: "gives the method undefined",
		why: "JavaScript has a value for it; stock clients send an error instead",
	},
	"requests of another user": {
		aspNet: "takes them, with a warning in its log",
		ours: "answers 403",
		why: "who finds a connection token cannot use it without the user's credentials",
	},
	"id of two uploads": {
		aspNet: "lets the second upload take the id over; the first waits for ever",
		ours: "refuses the second call",
		why: "theirs loses a stream in silence",
	},
	"texts of details": {
		aspNet: "with detailed errors tells clients .NET's texts of broken messages, arguments and handshakes",
		ours: "tells its own of messages and arguments, and none of a handshake",
		why: "they are for developers, and as clear; clients do not read them",
	},
	"socket that only seems alive": {
		aspNet: "closes it where a new one comes with its token, and answers 404 to that",
		ours: "lets the new one take over (stateful reconnect)",
		why: "so a phone that changes networks keeps its connection",
	},
	"messages before the Sequence": {
		aspNet: "handles what a client sends on a new socket before its Sequence",
		ours: "ends the connection",
		why: "a message without a number may be one that was handled before; no client sends it",
	},
	"numbers that cannot be": {
		aspNet: "takes an Ack of what was never sent, and a Sequence below 1",
		ours: "ends the connection",
		why: "whose count is wrong would lose messages; no client sends it",
	},
	shutdown: {
		aspNet: "cuts WebSockets and event streams without a Close message",
		ours: "sends Close with allowReconnect on every transport",
		why: "clients that come back by themselves know at once that they may",
	},
	"POST before the first poll": {
		aspNet: "keeps it for a connection that nobody has opened yet",
		ours: "answers 404: negotiate keeps nothing, the connection begins with its first GET or socket",
		why: "so a client may open its connection at another process than it negotiated at; no client posts before",
	},
	"DELETE while a poll waits": {
		aspNet: "answers the poll with a Close that allows to reconnect",
		ours: "answers it with 204",
		why: "so says the protocol's text, and who sends DELETE wants no more; stock clients drop their poll before",
	},
} as const satisfies Readonly<Record<string, Deviation>>;

/** Where our hub behind proxies differs from our hub, as far as the contract suite sees it. */
export const FORWARDED_DEVIATIONS = {
	"ids of calls to clients": {
		direct: "are an s and a number",
		forwarded: "have a prefix for each proxy",
		why: "so an answer finds its way back through any number of proxies without a table; ids mean nothing to clients",
	},
	"answer to a call that another was asked": {
		direct: "ends the connection",
		forwarded: "is passed over by the proxy that has asked this client nothing",
		why: "the proxy does not know the app server's calls; the answer counts for nothing in either case",
	},
	"cancel behind a call that waits": {
		direct: "waits with it, as all that the client sends",
		forwarded: "ends the stream at the client at once; the app server hears of it in its turn",
		why: "the proxy forwards calls without waiting for them, and nobody wants the items",
	},
} as const satisfies Readonly<Record<string, ForwardedDeviation>>;

export type DeviationName = keyof typeof DEVIATIONS | keyof typeof FORWARDED_DEVIATIONS;
