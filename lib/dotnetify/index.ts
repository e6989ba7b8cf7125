export {
	DEFAULT_MAX_HEADERS_LENGTH,
	DEFAULT_MAX_QUEUED_LIST_CHANGES,
	DEFAULT_MAX_VIEW_MODELS_PER_CONNECTION,
	DEFAULT_MAX_VM_ID_LENGTH,
	type ViewModelLimitOptions,
} from "./limits.js";
export { RoutableViewModel, type RouteLink, type RouteTemplate, type RoutingState } from "./routing.js";
export {
	type Authorization,
	type DirectSend,
	MulticastViewModel,
	ViewModel,
	type ViewModelClass,
	type ViewModelClient,
	type ViewModelFactory,
	type ViewModelSource,
	type ViewModelSources,
} from "./view-model.js";
export {
	createViewModelHub,
	type ViewModelClientMethods,
	type ViewModelHubOptions,
	viewModelRoute,
} from "./view-model-hub.js";
