export { acceptLinks } from "./app-end/accept-links.js";
export {
	type AcceptLinksOptions,
	DEFAULT_LINK_FLUSH_TIMEOUT_MS,
	DEFAULT_MAX_CLIENTS_PER_PROXY,
	DEFAULT_MAX_HELD_MESSAGES,
	DEFAULT_MAX_INBOX,
	DEFAULT_MAX_INBOX_TOTAL,
	DEFAULT_MAX_LINK_BUFFERED_BYTES,
	DEFAULT_MAX_WAITING_BYTES_PER_CLIENT,
	DEFAULT_MAX_WAITING_PER_CLIENT,
	DEFAULT_PROXY_GRACE_MS,
} from "./app-end/accept-options.js";
export type { CertificateNames } from "./app-end/proxy-certificates.js";
export type { LinkTls } from "./dialing/link-tls.js";
export { type ForwardingFilter, forViewModels, forVmIds } from "./filters.js";
export { LINK_HEADER } from "./link-proof.js";
export { DEFAULT_MAX_LINK_MESSAGE_BYTES } from "./link-terms.js";
export {
	DEFAULT_CONNECTION_POOL_SIZE,
	DEFAULT_FLUSH_TIMEOUT_MS,
	DEFAULT_MAX_QUEUED,
	DEFAULT_MAX_QUEUED_BYTES,
	DEFAULT_MAX_QUEUED_PER_CLIENT,
	DEFAULT_MAX_RETAINED_BYTES,
	DEFAULT_MAX_UNCONFIRMED_BYTES,
	DEFAULT_MAX_UNCONFIRMED_BYTES_PER_CLIENT,
	DEFAULT_MAX_UNCONFIRMED_PER_CLIENT,
	DEFAULT_MAX_WAIT_MS,
	type ForwardingOptions,
} from "./proxy-end/options.js";
export {
	DEFAULT_MAX_DELAY_MS,
	DEFAULT_REPLICAS_REFRESH_MS,
	type Replica,
	type ReplicaList,
	Replicas,
	type ReplicasOptions,
	replicas,
} from "./proxy-end/replicas.js";
export { useForwarding } from "./proxy-end/use-forwarding.js";
export { DEFAULT_SESSION_TIMEOUT_MS } from "./session/index.js";
export type { Candidate, PickFunction, PickStrategy } from "./upstream/pick.js";
