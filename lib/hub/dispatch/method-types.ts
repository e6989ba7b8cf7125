import type { ClientMethods } from "../clients/client-proxy.js";
import type { InvocationContext } from "./invocation-context.js";
import type { DeclaredMethod } from "./method.js";

/** A hub method: the context first, then what the client sent. Parameters are not checked; see `method`. */
export type HubMethod<Client extends object = ClientMethods> = (
	ctx: InvocationContext<Client>,
	...args: never[]
) => unknown;

/** What `methods` of a hub may hold: functions, generators for streams to the client, and `method(…)`. */
export type MethodTable<Client extends object = ClientMethods> = Readonly<
	Record<string, HubMethod<Client> | DeclaredMethod<readonly unknown[], unknown, Client>>
>;

/** A stream as a client sees it: what `connection.stream(…)` of `@microsoft/signalr` returns has this shape. */
export interface ClientStream<Item> {
	subscribe(subscriber: { next(value: Item): void; error(error: unknown): void; complete(): void }): {
		dispose(): void;
	};
}

/** What a client hands over for an upload: a `Subject` of `@microsoft/signalr`, or anything of its shape. */
export type ClientUpload<Item> = ClientStream<Item>;

/** A parameter or result as a client has it: streams of the server are streams of the client. */
type ClientParameter<Parameter> =
	Parameter extends AsyncIterable<infer Item> ? ClientUpload<Item> : Parameter;

type ClientParameters<Args extends readonly unknown[]> = {
	-readonly [At in keyof Args]: ClientParameter<Args[At]>;
};

type ClientResult<Result> =
	Awaited<Result> extends AsyncIterable<infer Item>
		? ClientStream<Item>
		: Result extends Generator<infer Item, unknown, unknown>
			? ClientStream<Item>
			: Promise<Awaited<Result>>;

type ClientSignature<Method> =
	Method extends DeclaredMethod<infer Args, infer Result, infer _Client>
		? (...args: ClientParameters<Args>) => ClientResult<Result>
		: Method extends (ctx: never, ...args: infer Args) => infer Result
			? (...args: ClientParameters<Args>) => ClientResult<Result>
			: never;

/**
 * What a client can call on a hub, by name: `HubMethods<typeof hub>`. Contexts are gone, results are promises, generators
 * are streams. It is types only, so a browser project can import it from a server's module with `import type`.
 */
export type HubMethods<H> = H extends { readonly methods?: infer Methods }
	? { readonly [Name in keyof NonNullable<Methods>]: ClientSignature<NonNullable<Methods>[Name]> }
	: never;
