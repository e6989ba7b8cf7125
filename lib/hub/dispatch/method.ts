import { TrunklineError } from "../../errors/index.js";
import type { ClientMethods } from "../clients/client-proxy.js";
import type { InvocationContext } from "./invocation-context.js";

/** The part of Standard Schema v1 (zod, valibot, arktype…) that arguments are checked by. */
export interface ArgumentSchema<Output = unknown> {
	readonly "~standard": {
		readonly version: 1;
		readonly vendor: string;
		readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>;
	};
}

/** What a schema says of a value. */
export type SchemaResult<Output> =
	| { readonly value: Output; readonly issues?: undefined }
	| { readonly issues: readonly { readonly message: string }[] };

/** A hub method: the context first, then what the client sent. Parameters are not checked; see {@link method}. */
export type HubMethod<Client extends object = ClientMethods> = (
	ctx: InvocationContext<Client>,
	...args: never[]
) => unknown;

type Outputs<Schemas extends readonly ArgumentSchema[]> = {
	-readonly [At in keyof Schemas]: Schemas[At] extends ArgumentSchema<infer Output> ? Output : never;
};

/** How a method with checked arguments is declared. */
export interface MethodOptions<Schemas extends readonly ArgumentSchema[]> {
	/** One schema per argument; the number of arguments has to be the same. */
	readonly args: Schemas;
}

/** A hub method whose arguments are checked before it runs. */
export class DeclaredMethod {
	readonly schemas: readonly ArgumentSchema[];
	readonly handler: HubMethod<never>;

	constructor(schemas: readonly ArgumentSchema[], handler: HubMethod<never>) {
		this.schemas = schemas;
		this.handler = handler;
	}
}

/**
 * Declares a hub method with checked arguments: a call with another number of arguments, or with one that its schema
 * refuses, fails with "Failed to invoke 'X' due to an error on the server." and never reaches the handler.
 */
export function method<
	const Schemas extends readonly ArgumentSchema[],
	Client extends object = ClientMethods,
>(
	options: MethodOptions<Schemas>,
	handler: (ctx: InvocationContext<Client>, ...args: Outputs<Schemas>) => unknown,
): DeclaredMethod {
	return new DeclaredMethod(options.args, handler as unknown as HubMethod<never>);
}

/** What `methods` of a hub may hold. */
export type HubMethods<Client extends object = ClientMethods> = Readonly<
	Record<string, HubMethod<Client> | DeclaredMethod>
>;

/** A method as the dispatcher finds it: `name` is the declared spelling. */
export interface BoundMethod {
	readonly name: string;
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
 * @throws TrunklineError ERR_OPTION for a reserved name, two names that differ by case only, or something that is no
 * method.
 */
export function bindMethods(methods: HubMethods<never>): ReadonlyMap<string, BoundMethod> {
	const bound = new Map<string, BoundMethod>();
	for (const [name, declared] of Object.entries(methods)) {
		const key = name.toLowerCase();
		if (RESERVED.has(key) || /^[_#]/.test(name)) throw refuse(name, "is reserved; choose another name");
		if (bound.has(key)) throw refuse(name, "is there twice: names are matched without regard to case");
		bound.set(key, bindOne(name, declared));
	}
	return bound;
}

function bindOne(name: string, declared: HubMethod<never> | DeclaredMethod): BoundMethod {
	checkHandler(name, declared instanceof DeclaredMethod ? declared.handler : declared);
	if (declared instanceof DeclaredMethod) {
		const { schemas, handler } = declared;
		return { name, bind: (args) => checked(schemas, args), call: (ctx, args) => call(handler, ctx, args) };
	}
	const required = declared.length - 1;
	return { name, bind: (args) => enough(required, args), call: (ctx, args) => call(declared, ctx, args) };
}

function checkHandler(name: string, handler: unknown): void {
	if (typeof handler !== "function") {
		throw refuse(name, `must be a function or method(…); found ${typeof handler}`);
	}
	if (/Generator/.test(handler.constructor.name)) {
		const cure = "this version has no streaming methods: return an array or send items";
		throw refuse(name, `is a generator; ${cure}`);
	}
}

function call(handler: HubMethod<never>, ctx: InvocationContext<never>, args: readonly unknown[]): unknown {
	return (handler as (ctx: InvocationContext<never>, ...args: readonly unknown[]) => unknown)(ctx, ...args);
}

function enough(required: number, args: readonly unknown[]): readonly unknown[] {
	if (args.length < required) throw wrongCount(required, args.length);
	return args;
}

async function checked(schemas: readonly ArgumentSchema[], args: readonly unknown[]): Promise<unknown[]> {
	if (args.length !== schemas.length) throw wrongCount(schemas.length, args.length);
	const values: unknown[] = [];
	for (const [at, schema] of schemas.entries()) {
		const result = await schema["~standard"].validate(args[at]);
		if (result.issues) throw badArgument(at, result.issues[0]?.message ?? "refused by its schema");
		values.push(result.value);
	}
	return values;
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
