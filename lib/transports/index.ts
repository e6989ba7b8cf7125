export { type AuthenticationTerms, authenticateRequest } from "./authentication.js";
export type {
	Connection,
	ConnectionListener,
	ConnectionRequest,
	PayloadFormat,
	TransportName,
	User,
} from "./connection.js";
export { Endpoint } from "./endpoint.js";
export {
	DEFAULT_AUTHENTICATE_TIMEOUT_MS,
	DEFAULT_CLOSE_TIMEOUT_MS,
	DEFAULT_MAX_BUFFERED_BYTES,
	DEFAULT_MAX_CONNECTIONS,
	DEFAULT_MAX_FRAME_BYTES,
	type EndpointOptions,
	type Redirection,
	resolveEndpointOptions,
} from "./options.js";
export {
	type AddressFacts,
	type ClientAddress,
	compileTrust,
	describeRequest,
	normalizeAddress,
	queryValue,
	resolveClientAddress,
	type Trust,
	type TrustProxy,
} from "./request/client-address.js";
export { Refusal } from "./request/refusal.js";
export {
	type ConnectionTokens,
	createTokens,
	DEFAULT_MAX_USED_TOKENS,
	DEFAULT_TOKEN_LIFETIME_MS,
	type IssuedToken,
	type ReadToken,
	TOKEN_SKEW_MS,
	type TokenKind,
	type TokenOptions,
} from "./tokens.js";
