import { declareFrameworkClass } from "./state/members.js";
import { ViewModel } from "./view-model.js";

/** One route of a view model; members that are left out are null on the wire. */
export interface RouteTemplate {
	/** What {@link RoutableViewModel.getRoute} and the client call it. */
	readonly Id: string;
	/** Below the root: `book(/:title)`, `*` for everything else. */
	readonly UrlPattern: string;
	readonly Root?: string | null;
	readonly ViewUrl?: string | null;
	readonly JSModuleUrl?: string | null;
	readonly Target?: string | null;
}

/** A link in the state that leads to a route. */
export interface RouteLink {
	readonly TemplateId: string | null;
	readonly Path: string;
	readonly RedirectRoot: string | null;
}

/** What the client's router keeps of a view model's routes; the url belongs to the client. */
export interface RoutingState {
	readonly Templates: readonly Required<RouteTemplate>[];
	readonly Root: string | null;
	/** The path that the client shows now. */
	Active: string | null;
	/** The path by which the client came here, below the root. */
	Origin: string | null;
}

/** Runs after a client has written one of the two paths of a routing state. */
interface RouteHooks {
	activated(path: string | null): void;
	routed(from: string | null): void;
}

function routingState(hooks: RouteHooks): RoutingState {
	let active: string | null = null;
	let origin: string | null = null;
	const watched = (get: () => string | null, set: (path: string | null) => void): PropertyDescriptor => ({
		enumerable: true,
		get,
		set,
	});
	const state = { Templates: [], Root: null };
	Object.defineProperties(state, {
		Active: watched(
			() => active,
			(path) => {
				active = path;
				hooks.activated(path);
			},
		),
		Origin: watched(
			() => origin,
			(path) => {
				origin = path;
				hooks.routed(path);
			},
		),
	});
	return state as unknown as RoutingState;
}

/** A view model with routes: dotNetify's client matches its url against them and shows their views. */
export abstract class RoutableViewModel extends ViewModel {
	/** The routes and where the client is; it writes `RoutingState.Active` and, in `$vmArg`, `RoutingState.Origin`. */
	RoutingState: RoutingState = routingState({
		activated: (path) => this.onActivated(path),
		routed: (from) => this.onRouted(from),
	});

	/** Declares the routes below `root`, usually in the constructor. */
	registerRoutes(root: string, templates: readonly RouteTemplate[]): void {
		const state = this.RoutingState as { Root: string | null; Templates: readonly Required<RouteTemplate>[] };
		state.Root = root;
		state.Templates = templates.map(completeTemplate);
	}

	/**
	 * A link to the template called `id`. Without a `path` it is the template's pattern without its parameters:
	 * `book` for `book(/:title)`.
	 */
	getRoute(id: string, path?: string): RouteLink {
		const pattern = this.RoutingState.Templates.find((template) => template.Id === id)?.UrlPattern ?? "";
		return { TemplateId: id, Path: path ?? pattern.replace(/\(.*$|\/?:.*$/, ""), RedirectRoot: null };
	}

	/** A link to a path below another view model's root. */
	redirect(root: string, path: string): RouteLink {
		return { TemplateId: null, Path: path, RedirectRoot: root };
	}

	/** The client shows another of the routes. */
	onActivated(_path: string | null): void {}

	/** The client came here by a route of a view model around this one; `from` is what is left of the path. */
	onRouted(_from: string | null): void {}
}

declareFrameworkClass(RoutableViewModel);

/** The members in dotNetify's order. */
function completeTemplate(template: RouteTemplate): Required<RouteTemplate> {
	const { Id, Root = null, UrlPattern, ViewUrl = null, JSModuleUrl = null, Target = null } = template;
	return { Id, Root, UrlPattern, ViewUrl, JSModuleUrl, Target };
}
