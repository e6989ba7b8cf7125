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
	DEFAULT_MAX_BUFFERED_BYTES,
	DEFAULT_MAX_FRAME_BYTES,
	type EndpointOptions,
	type Redirection,
	resolveEndpointOptions,
} from "./options.js";
export {
	type AddressFacts,
	compileTrust,
	normalizeAddress,
	queryValue,
	resolveClientAddress,
	type TrustProxy,
} from "./request/client-address.js";
export type { ClientCertificate } from "./request/client-certificate.js";
export { Refusal } from "./request/refusal.js";
export {
	type ConnectionTokens,
	createTokens,
	TOKEN_SKEW_MS,
	type TokenKind,
	type TokenOptions,
} from "./tokens.js";
