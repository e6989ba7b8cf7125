import { TrunklineError } from "../../errors/index.js";
import { NotDataError } from "./data.js";

/** What of a view model's class can be reached from the wire. */
export interface ClassMembers {
	readonly className: string;
	/** Getters and setters, the most derived class first. */
	readonly accessors: ReadonlyMap<string, { readonly canRead: boolean; readonly canWrite: boolean }>;
	readonly methods: ReadonlySet<string>;
	/** Methods that stand in the state as null (`static commands`). */
	readonly commands: readonly string[];
	/** List name to the name of its items' key (`static itemKeys`). */
	readonly itemKeys: ReadonlyMap<string, string>;
	/** Names that must not be reached although they are there (`static hidden`). */
	readonly hidden: ReadonlySet<string>;
}

const frameworkPrototypes = new Set<object>();
const frameworkNames = new Set<string>(["constructor"]);
const byClass = new WeakMap<object, ClassMembers>();

/** Declares a base class of this room: none of its accessors and methods is ever reached from the wire. */
export function declareFrameworkClass(base: { readonly prototype: object }): void {
	frameworkPrototypes.add(base.prototype);
	for (const name of Object.getOwnPropertyNames(base.prototype)) frameworkNames.add(name);
}

/**
 * The reachable members of a view model's class: what the classes strictly below the framework's declare, without
 * `static hidden` and names that start with `_`. Fields are not here: they belong to the instance ({@link fieldsOf}).
 */
export function classMembers(viewModel: object): ClassMembers {
	const prototype: object = Object.getPrototypeOf(viewModel);
	let members = byClass.get(prototype);
	if (!members) {
		members = inspect(prototype);
		byClass.set(prototype, members);
	}
	return members;
}

function inspect(prototype: object): ClassMembers {
	const chain = userPrototypes(prototype);
	const hidden = new Set(chain.flatMap((at) => staticList(at, "hidden")));
	const accessors = new Map<string, { canRead: boolean; canWrite: boolean }>();
	const methods = new Set<string>();
	const seen = new Set<string>();
	for (const at of chain) {
		for (const [name, descriptor] of Object.entries(Object.getOwnPropertyDescriptors(at))) {
			if (seen.has(name) || isOutOfReach(name, hidden)) continue;
			seen.add(name);
			if (typeof descriptor.value === "function") methods.add(name);
			else if (descriptor.get || descriptor.set) {
				accessors.set(name, { canRead: !!descriptor.get, canWrite: !!descriptor.set });
			}
		}
	}
	return {
		className: prototype.constructor.name,
		accessors,
		methods,
		hidden,
		commands: chain.flatMap((at) => staticList(at, "commands")).filter((name) => methods.has(name)),
		itemKeys: new Map(chain.toReversed().flatMap(staticItemKeys)),
	};
}

/** The prototypes below the framework's, the most derived first. */
function userPrototypes(prototype: object): object[] {
	const chain: object[] = [];
	for (let at: object | null = prototype; at && at !== Object.prototype; at = Object.getPrototypeOf(at)) {
		if (frameworkPrototypes.has(at)) break;
		chain.push(at);
	}
	return chain;
}

function ownStatic(prototype: object, name: string): unknown {
	const owner = prototype.constructor as unknown as Record<string, unknown>;
	return Object.hasOwn(owner, name) ? owner[name] : undefined;
}

function staticList(prototype: object, name: "hidden" | "commands"): string[] {
	const listed = ownStatic(prototype, name);
	return Array.isArray(listed) ? listed.map(String) : [];
}

function staticItemKeys(prototype: object): [string, string][] {
	return Object.entries((ownStatic(prototype, "itemKeys") ?? {}) as Record<string, string>);
}

function isOutOfReach(name: string, hidden: ReadonlySet<string>): boolean {
	return name.startsWith("_") || hidden.has(name) || frameworkNames.has(name);
}

/**
 * The names of a view model's own fields that are on the wire, in the order of their declaration.
 * @throws TrunklineError ERR_VIEW_MODEL_FIELD for a field that takes the place of a member of the framework.
 */
export function fieldsOf(viewModel: object, members: ClassMembers): string[] {
	const names = Object.keys(viewModel);
	for (const name of names) {
		if (!frameworkNames.has(name) || members.hidden.has(name)) continue;
		throw new TrunklineError(
			"ERR_VIEW_MODEL_FIELD",
			`${members.className}.${name} hides a member of its base class; choose another name for the field.`,
		);
	}
	return names.filter((name) => !isOutOfReach(name, members.hidden));
}

/** Whether `name` is a field of this view model that the wire may reach. Never true for anything inherited. */
export function isField(viewModel: object, members: ClassMembers, name: string): boolean {
	return Object.prototype.propertyIsEnumerable.call(viewModel, name) && !isOutOfReach(name, members.hidden);
}

/** The error for a member that holds something else than data; it names the cure. Other errors come back as they are. */
export function fieldError(members: ClassMembers, name: string, thrown: unknown): unknown {
	if (!(thrown instanceof NotDataError)) return thrown;
	return new TrunklineError(
		"ERR_VIEW_MODEL_FIELD",
		`${members.className}.${name} holds ${thrown.found}, which is no data and must not go to clients. ` +
			`Make it #${name}, call it _${name}, or list it in static hidden = ["${name}"] ` +
			"(TypeScript's private hides nothing at run time). Records with methods need a toJSON().",
		{ cause: thrown },
	);
}
