import { HubException, TrunklineError } from "../errors/index.js";
import {
	type ArgumentSchema,
	type ClientConnection,
	type CreateHubOptions,
	createHub,
	type DeclaredMethod,
	type Hub,
	type InvocationContext,
	invocationOf,
	method,
	PreparedMessage,
	type Selection,
} from "../hub/index.js";
import { Arguments, HubTarget, RESTORE_METHOD, vmIdRoot } from "../protocols/index.js";
import { resolveViewModelLimits, type ViewModelLimitOptions } from "./limits.js";
import { isRecord } from "./state/data.js";
import {
	isMulticastClass,
	isViewModelClass,
	type ViewModelSource,
	type ViewModelSources,
} from "./view-model.js";
import { ViewModels } from "./view-models.js";
import type { ViewModelHost } from "./views/instance.js";
import { invalidJson } from "./wire-exception.js";

/** Settings of {@link createViewModelHub}. */
export interface ViewModelHubOptions
	extends Omit<CreateHubOptions<ViewModelClientMethods>, "methods" | "route">,
		ViewModelLimitOptions {
	/** Names that clients use, and the class or factory of each. @defaultValue none: a hub for a proxy */
	readonly viewModels?: ViewModelSources | undefined;
}

/** What a dotNetify client can be asked to run. */
export type ViewModelClientMethods = {
	/** An id with the JSON text of a state, of changes, or of an error. */
	Response_VM(response: readonly [vmId: string | null, data: string]): void;
};

/** The hub protocol name of clients behind dotNetify's own wire, whose data arrives as JSON text. */
const DOTNETIFY_LINK = "dotnetify-link";

/**
 * Makes a hub that dotNetify's clients can use: `Request_VM`, `Update_VM`, `Dispose_VM`, answered by `Response_VM`. Without
 * view models every request that no middleware takes is answered as one for an unknown view model. Its `recovery` is
 * `reopen` by default.
 * @throws TrunklineError ERR_OPTION for a bad option.
 */
export function createViewModelHub(options: ViewModelHubOptions = {}): Hub<ViewModelClientMethods> {
	const { viewModels: sources = {}, recovery = "reopen", sharedTypes = [], ...others } = options;
	const { maxViewModelsPerConnection, maxVmIdLength, maxHeadersLength, maxQueuedListChanges, ...hubOptions } =
		others;
	refuseOwn(hubOptions);
	for (const [name, source] of Object.entries(sources)) checkSource(name, source);
	const limits = resolveViewModelLimits(options);
	const methods = viewModelMethods((connection) => viewModels.of(connection));
	const hub = createHub<ViewModelClientMethods>()({
		...{ ...hubOptions, recovery, methods },
		sharedTypes: [...sharedTypesOf(sources), ...sharedTypes],
		route: viewModelRoute,
	});
	const viewModels = new ViewModels(sources, hostOf(hub, limits));
	hub.stateSources.add(({ connectionId }, key) => viewModels.resync(connectionId, key));
	hub.on("migrating", ({ connectionId }) => viewModels.migrating(connectionId));
	hub.on("disconnected", ({ connectionId }) => viewModels.disconnected(connectionId));
	return hub;
}

/** Names of multicast classes; what a factory makes is not known before it is called. */
function sharedTypesOf(sources: ViewModelSources): string[] {
	const names = Object.entries(sources).flatMap(([name, source]) => (isMulticastClass(source) ? [name] : []));
	// A request names a type without its namespace.
	return names.map((name) => name.slice(name.lastIndexOf(".") + 1));
}

/** TypeScript says so too; in JavaScript they would be replaced without a word. */
function refuseOwn(options: object): void {
	const name = ["methods", "route"].find((each) => each in options);
	if (name === undefined) return;
	throw new TrunklineError(
		"ERR_OPTION",
		`A hub for view models has "${name}" of its own; give yours to a hub of createHub, at another path.`,
	);
}

/** TypeScript says so too; in JavaScript nobody would hear of it before the first request. */
function checkSource(name: string, source: ViewModelSource): void {
	const isClass = typeof source === "function" && /^class\b/.test(Function.prototype.toString.call(source));
	if (typeof source === "function" && (!isClass || isViewModelClass(source))) return;
	throw new TrunklineError(
		"ERR_OPTION",
		`View model "${name}" must be a class that extends ViewModel, or a function that makes one; found ${isClass ? "another class" : typeof source}.`,
	);
}

/** What a call is about, by its first argument. */
export function viewModelRoute(_target: string, args: Arguments): { vmId: string; root: string } | undefined {
	const vmId = args.first;
	return typeof vmId === "string" ? { vmId, root: vmIdRoot(vmId) } : undefined;
}

function hostOf(hub: Hub<ViewModelClientMethods>, limits: ViewModelHost["limits"]): ViewModelHost {
	const { log } = hub;
	const failed = (err: unknown): void =>
		log.error({ err }, "The hub refused something that a view model asked for.");
	return {
		log,
		limits,
		detailedErrors: hub.options.detailedErrors,
		respond(selection: Selection, vmId: string | null, { text, about }): void {
			const invocation = invocationOf(HubTarget.Response, [[vmId, text]]);
			const delivery = about && vmId !== null ? { kind: about, key: vmId } : undefined;
			hub.lifetime.send(selection, new PreparedMessage(invocation, delivery)).catch(failed);
		},
		join: (connectionId, group) => void hub.lifetime.join(connectionId, group).catch(failed),
		leave: (connectionId, group) => void hub.lifetime.leave(connectionId, group).catch(failed),
	};
}

type ViewsOf = (connection: ClientConnection) => ReturnType<ViewModels["of"]>;

function viewModelMethods(viewsOf: ViewsOf): Readonly<Record<string, DeclaredMethod>> {
	const request = method({ args: [vmIdSchema, anySchema] }, async (ctx, vmId, data) => {
		const { target, arguments: args } = ctx;
		await viewsOf(ctx.connection).request(vmId, readerOf(ctx, data), { target, arguments: args });
		return null;
	});
	const update = method({ args: [vmIdSchema, dataSchema] }, async (ctx, vmId, data) => {
		checkUpdate(ctx, data);
		await viewsOf(ctx.connection).update(vmId, () => checkedUpdate(readerOf(ctx, data)()));
		return null;
	});
	const dispose = method({ args: [vmIdSchema] }, async (ctx, vmId) => {
		await viewsOf(ctx.connection).dispose(vmId);
		return null;
	});
	const restore = method({ args: [vmIdSchema, anySchema, textSchema] }, async (ctx, vmId, data, state) => {
		const { connection } = ctx;
		// Proxies that retain calls let no client make this one; others, and those who speak dotNetify's wire, do not know it.
		if (!connection.isRetaining) throw new HubException("Method does not exist.");
		const call = { target: HubTarget.Request, arguments: Arguments.of([vmId, data]) };
		await viewsOf(connection).request(vmId, () => data, call, state);
		return null;
	});
	return {
		[RESTORE_METHOD]: restore,
		[HubTarget.Request]: request,
		[HubTarget.Update]: update,
		[HubTarget.Dispose]: dispose,
		Request_VM_Obsolete: request,
		Update_VM_Obsolete: update,
		Dispose_VM_Obsolete: dispose,
	};
}

type AnyContext = Pick<InvocationContext, "connection">;

function isLinked({ connection }: AnyContext): boolean {
	return connection.protocolName === DOTNETIFY_LINK;
}

/** How to read the data of a message: values from a client, JSON text or null over a link. */
function readerOf(ctx: AnyContext, data: unknown): () => unknown {
	return () => (isLinked(ctx) && data !== null ? parsedData(data) : data);
}

function checkUpdate(ctx: AnyContext, data: unknown): void {
	if (isLinked(ctx) || typeof data !== "string") return;
	throw new TrunklineError("ERR_ARGUMENTS", "Argument 2 of Update_VM must be an object or null.");
}

/** @throws WireException for text that is not JSON. */
function parsedData(data: unknown): unknown {
	try {
		return JSON.parse(String(data));
	} catch {
		throw invalidJson();
	}
}

/** A request ignores data that is no object; an update over a link has to hold an object, a list or null. */
function checkedUpdate(data: unknown): unknown {
	if (typeof data === "object") return data;
	throw invalidJson();
}

const vmIdSchema = schema<string | null>(
	(value) => value === null || typeof value === "string",
	"must be text or null",
);
const anySchema = schema<unknown>(() => true, "");
const textSchema = schema<string>((value) => typeof value === "string", "must be text");
const dataSchema = schema<unknown>(
	(value) => value === null || typeof value === "string" || isRecord(value),
	"must be an object or null",
);

function schema<T>(test: (value: unknown) => boolean, message: string): ArgumentSchema<T> {
	return {
		"~standard": {
			version: 1,
			vendor: "trunkline",
			validate: (value) => (test(value) ? { value: value as T } : { issues: [{ message }] }),
		},
	};
}
