export type {
	ClientCertificate,
	Connection,
	ConnectionListener,
	ConnectionRequest,
	PayloadFormat,
	Redirection,
	TransportName,
	TrustProxy,
	User,
} from "../transports/index.js";
export { DEFAULT_MAX_BUFFERED_BYTES } from "../transports/index.js";
export type { Acceptor } from "./acceptor.js";
export { bearerToken, type TokenRequest } from "./auth/bearer-token.js";
export { jwtAuthentication } from "./auth/jwt-authentication.js";
export {
	DEFAULT_CLOCK_TOLERANCE_MS,
	DEFAULT_JWKS_COOLDOWN_MS,
	DEFAULT_JWKS_MAX_AGE_MS,
	DEFAULT_JWKS_TIMEOUT_MS,
	DEFAULT_MAX_TOKEN_BYTES,
	type JwtAlgorithm,
	type JwtOptions,
	type JwtPublicKey,
	type JwtUser,
} from "./auth/jwt-options.js";
export type { ChannelHandler, Detached } from "./channel/channel-host.js";
export { Heartbeat } from "./channel/heartbeat.js";
export type { MessageChannel } from "./channel/message-channel.js";
export { CallerClients } from "./clients/caller-clients.js";
export type { ClientConnection, ClientIdentity, DisconnectReason } from "./clients/client-connection.js";
export {
	type AskingOptions,
	type ClientAnswer,
	type ClientArguments,
	type ClientMethods,
	ClientProxy,
	Groups,
	HubClients,
	invocationOf,
	SingleClientProxy,
} from "./clients/client-proxy.js";
export type { CallToRetain, Carrier, ClientWire, RetainedCall } from "./clients/client-wire.js";
export type { Lifetime } from "./clients/lifetime.js";
export {
	type Delivery,
	decodeRecord,
	type EncodedMessage,
	type Encoding,
	PreparedMessage,
	type Unread,
	type WrittenMessage,
} from "./clients/prepared-message.js";
export type { Selection } from "./clients/selection.js";
export type { StateSource, StateSources } from "./clients/state-sources.js";
export { type Count, Counters } from "./counters.js";
export { type CreateHubOptions, createHub } from "./create-hub.js";
export type {
	ExplainedInstance,
	ExplainedStep,
	ExplainedUpstream,
	ExplainQuery,
	Explanation,
	ForwardingExplanation,
} from "./dispatch/explanation.js";
export { DisconnectedContext, type HubFilter } from "./dispatch/filters.js";
export {
	type Completer,
	ConnectionContext,
	InvocationContext,
	type Route,
} from "./dispatch/invocation-context.js";
export {
	type ArgumentSchema,
	type CheckedMethodOptions,
	DeclaredMethod,
	type MethodOptions,
	method,
	type SchemaResult,
} from "./dispatch/method.js";
export type {
	ClientStream,
	ClientUpload,
	HubMethod,
	HubMethods,
	MethodTable,
} from "./dispatch/method-types.js";
export type { HubExtension, Layer, Middleware, Taker } from "./dispatch/middleware.js";
export { Hub } from "./hub.js";
export {
	type ItemSink,
	MAX_ITEM_NAME_BYTES,
	MAX_PUSHED_BYTES,
	type PushedItem,
} from "./items/pushed-items.js";
export type { HubEvents, HubListener, UndeliverableEvent } from "./listening/hub-events.js";
export type { MountOptions } from "./mount.js";
export type {
	LinkEndFacts,
	LinkFacts,
	LinkLoad,
	LinkLoadFacts,
	LinkSessionCounters,
	LinkSessionEndFacts,
	LinkStatus,
	RecoveryFacts,
} from "./observing/link-facts.js";
export type {
	CallEnd,
	CallFacts,
	CallFailure,
	ClientResultEnd,
	ClientResultFacts,
	ConnectionEnd,
	ConnectionFacts,
	ConnectRefusal,
	HandshakeFailure,
	HubObserver,
	StreamEnd,
	TrafficFacts,
} from "./observing/observer.js";
export * from "./options.js";
export {
	createServer,
	DEFAULT_SERVER_CLOSE_TIMEOUT_MS,
	type Listening,
	Server,
	type ServerOptions,
} from "./server.js";
export type { ResolvedHubOptions, TransportSettings } from "./settings.js";
export { type CloseOptions, DEFAULT_SHUTDOWN_TIMEOUT_MS } from "./shutdown/deadline.js";
export type { ClientCall, ClientResultOptions } from "./streams/client-results.js";
export type { DownloadEnd } from "./streams/download.js";
export type { UploadRelay } from "./streams/upload.js";
