import { booleanOption, functionOption, refuseUnknown } from "../../base/index.js";
import { TrunklineError } from "../../errors/index.js";
import type { ClientMethods } from "../clients/client-proxy.js";
import type { InvocationContext } from "./invocation-context.js";
import type { HubMethod, MethodTable } from "./method-types.js";

/** The part of Standard Schema v1 (zod, valibot, arktype…) that arguments are checked by. */
export interface ArgumentSchema<Output = unknown, Input = unknown> {
	readonly "~standard": {
		readonly version: 1;
		readonly vendor: string;
		readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>;
		readonly types?: { readonly input: Input; readonly output: Output } | undefined;
	};
}

/** What a schema says of a value. */
export type SchemaResult<Output> =
	| { readonly value: Output; readonly issues?: undefined }
	| { readonly issues: readonly { readonly message: string }[] };

type Outputs<Schemas extends readonly ArgumentSchema[]> = {
	-readonly [At in keyof Schemas]: Schemas[At] extends ArgumentSchema<infer Output> ? Output : never;
};

type Inputs<Schemas extends readonly ArgumentSchema[]> = {
	-readonly [At in keyof Schemas]: Schemas[At] extends {
		readonly "~standard": { readonly types?: { readonly input: infer Input } | undefined };
	}
		? Input
		: unknown;
};

/** The parameters behind those that have a schema. */
type Uploads<
	Schemas extends readonly ArgumentSchema[],
	Args extends readonly unknown[],
> = Args extends readonly [...Outputs<Schemas>, ...infer Streams] ? Streams : [];

/** The client's methods, where they are known: a method outside of a hub knows none. */
type Known<Client extends object> = ClientMethods extends Client ? never : Client;

/** How a method is declared. */
export interface MethodOptions<Client extends object = ClientMethods> {
	/** How many parameters, the last ones, are streams of the client. @defaultValue 0 */
	readonly streams?: number | undefined;
	/** The method answers with a stream: an async iterable, an iterable, a Node or web stream. @defaultValue generators do */
	readonly stream?: boolean | undefined;
	/** Whether the caller may; if not, it is told that it is unauthorized. Asked before anything else sees the call. */
	readonly authorize?: ((ctx: InvocationContext<Client>) => boolean | Promise<boolean>) | undefined;
}

/** How a method with checked arguments is declared. */
export interface CheckedMethodOptions<Schemas extends readonly ArgumentSchema[], Client extends object>
	extends MethodOptions<Client> {
	/** One schema per argument that is no stream; the number of arguments has to be the same. */
	readonly args: Schemas;
}

const OPTIONS = ["args", "streams", "stream", "authorize"] as const;

/**
 * A hub method with more than its function. The types are what a client passes, what the handler returns, and what it
 * sends to clients: one that knows nothing of them fits every hub.
 */
export class DeclaredMethod<
	Args extends readonly unknown[] = readonly unknown[],
	Result = unknown,
	Client extends object = never,
> {
	readonly handler: HubMethod<never>;
	readonly schemas: readonly ArgumentSchema[] | undefined;
	readonly streams: number;
	readonly isStreaming: boolean;
	readonly authorize: ((ctx: InvocationContext<never>) => boolean | Promise<boolean>) | undefined;
	/** For the type system only. */
	declare readonly parameters?: Args;
	/** For the type system only. */
	declare readonly answer?: Result;
	/** For the type system only. */
	declare readonly client?: Client;

	/** @throws TrunklineError ERR_OPTION for an option that is none, or no function where one has to be */
	constructor(
		options: MethodOptions<never> & { readonly args?: readonly ArgumentSchema[] | undefined },
		handler: HubMethod<never>,
	) {
		refuseUnknown(options, OPTIONS, { owner: "method", help: `it takes ${OPTIONS.join(", ")}.` });
		this.handler = handler;
		this.schemas = options.args;
		this.streams = options.streams ?? 0;
		this.isStreaming = booleanOption("stream", options.stream, isGenerator(handler));
		this.authorize = functionOption("authorize", options.authorize) as DeclaredMethod["authorize"];
	}
}

/**
 * Declares a hub method with checked arguments, streams of the client, or an `authorize` of its own. A call with another
 * number of arguments, or with one that its schema refuses, fails with "Failed to invoke 'X' due to an error on the
 * server." and never reaches the handler.
 */
export function method<
	const Schemas extends readonly ArgumentSchema[],
	Args extends readonly [...Outputs<Schemas>, ...AsyncIterable<unknown>[]],
	Result,
	Client extends object = ClientMethods,
>(
	options: CheckedMethodOptions<Schemas, Client>,
	handler: (ctx: InvocationContext<Client>, ...args: Args) => Result,
): DeclaredMethod<[...Inputs<Schemas>, ...Uploads<Schemas, Args>], Result, Known<Client>>;
export function method<Args extends readonly unknown[], Result, Client extends object = ClientMethods>(
	options: MethodOptions<Client> & { readonly args?: undefined },
	handler: (ctx: InvocationContext<Client>, ...args: Args) => Result,
): DeclaredMethod<Args, Result, Known<Client>>;
export function method(
	options: MethodOptions<never> & { readonly args?: readonly ArgumentSchema[] | undefined },
	handler: HubMethod<never>,
): DeclaredMethod {
	return new DeclaredMethod(options, handler);
}

/** A method as the dispatcher finds it. */
export interface BoundMethod {
	/** The declared spelling. */
	readonly name: string;
	readonly streams: number;
	readonly isStreaming: boolean;
	readonly authorize: DeclaredMethod["authorize"];
	/** Checks what a client sent, before any middleware sees it. @throws TrunklineError ERR_ARGUMENTS */
	bind(args: readonly unknown[]): readonly unknown[] | Promise<readonly unknown[]>;
	call(ctx: InvocationContext<never>, args: readonly unknown[]): unknown;
}

const RESERVED = new Set([
	"constructor",
	"tostring",
	"valueof",
	"hasownproperty",
	"onconnected",
	"ondisconnected",
]);

/**
 * Binds the own, enumerable methods that were declared, by lower-case name (SignalR matches names without regard to
 * case). Nothing else can ever be called.
 * @throws TrunklineError ERR_OPTION for a reserved name, two names that differ by case only, something that is no
 * method, or a table that inherits something: its writer takes it for callable, and it is not.
 */
export function bindMethods(methods: MethodTable<never>): ReadonlyMap<string, BoundMethod> {
	refuseInherited(methods);
	const bound = new Map<string, BoundMethod>();
	for (const [name, declared] of Object.entries(methods)) {
		const key = name.toLowerCase();
		if (RESERVED.has(key) || /^[_#]/.test(name)) throw refuse(name, "is reserved; choose another name");
		if (bound.has(key)) throw refuse(name, "is there twice: names are matched without regard to case");
		bound.set(key, bindOne(name, declared));
	}
	return bound;
}

/** Objects, those without a prototype and modules (`import * as methods`) inherit nothing of their writer's. */
function refuseInherited(methods: unknown): void {
	if (typeof methods !== "object" || methods === null || Array.isArray(methods)) {
		throw new TrunklineError("ERR_OPTION", 'Option "methods" must be an object: { send: (ctx, text) => … }.');
	}
	const name = inheritedName(methods);
	if (name === undefined) return;
	throw refuse(name, "is inherited, and only own properties can be called: write { send: (ctx, text) => … }");
}

/** The first name that an object inherits from something else than the language. */
function inheritedName(object: object): string | undefined {
	const from: object | null = Object.getPrototypeOf(object);
	if (from === null || Object.getPrototypeOf(from) === null) return undefined;
	return Object.getOwnPropertyNames(from).find((name) => name !== "constructor") ?? inheritedName(from);
}

function bindOne(name: string, given: HubMethod<never> | DeclaredMethod): BoundMethod {
	const declared = given instanceof DeclaredMethod ? given : new DeclaredMethod({}, given);
	const { handler, schemas, streams, isStreaming, authorize } = declared;
	if (typeof handler !== "function") {
		throw refuse(name, `must be a function or method(…); found ${typeof handler}`);
	}
	if (!Number.isSafeInteger(streams) || streams < 0) {
		throw refuse(name, `has "streams" that is no whole number of at least 0; found ${String(streams)}`);
	}
	const stranger =
		schemas?.findIndex((schema) => typeof schema?.["~standard"]?.validate !== "function") ?? -1;
	if (stranger >= 0) {
		throw refuse(
			name,
			`has something else than a schema for argument ${stranger + 1}; take zod's, or any Standard Schema`,
		);
	}
	const required = Math.max(0, handler.length - 1 - streams);
	const call = handler as (ctx: InvocationContext<never>, ...args: readonly unknown[]) => unknown;
	return {
		...{ name, streams, isStreaming, authorize },
		bind: schemas ? (args) => checked(schemas, args) : (args) => enough(required, args),
		call: (ctx, args) => call(ctx, ...args),
	};
}

const GENERATORS = new Set(["GeneratorFunction", "AsyncGeneratorFunction"]);

function isGenerator(handler: unknown): boolean {
	return typeof handler === "function" && GENERATORS.has(Object.getPrototypeOf(handler)?.constructor?.name);
}

function enough(required: number, args: readonly unknown[]): readonly unknown[] {
	if (args.length < required) throw wrongCount(required, args.length);
	return args;
}

/** Arguments as their schemas give them back; a promise only where a schema takes its time. */
function checked(
	schemas: readonly ArgumentSchema[],
	args: readonly unknown[],
): readonly unknown[] | Promise<readonly unknown[]> {
	if (args.length !== schemas.length) throw wrongCount(schemas.length, args.length);
	const results = schemas.map((schema, at) => schema["~standard"].validate(args[at]));
	if (results.some((result) => result instanceof Promise)) return Promise.all(results).then(valuesOf);
	return valuesOf(results as SchemaResult<unknown>[]);
}

function valuesOf(results: readonly SchemaResult<unknown>[]): unknown[] {
	return results.map((result, at) => {
		if (result.issues) throw badArgument(at, result.issues[0]?.message ?? "refused by its schema");
		return result.value;
	});
}

function wrongCount(expected: number, found: number): TrunklineError {
	return new TrunklineError(
		"ERR_ARGUMENTS",
		`Invocation provides ${found} argument(s) but target expects ${expected}.`,
	);
}

function badArgument(at: number, message: string): TrunklineError {
	return new TrunklineError("ERR_ARGUMENTS", `Argument ${at + 1} was refused: ${message}`);
}

function refuse(name: string, why: string): TrunklineError {
	return new TrunklineError("ERR_OPTION", `Hub method "${name}" ${why}.`);
}
