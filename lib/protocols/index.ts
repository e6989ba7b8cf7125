export { type ArgumentEncoding, Arguments, encodingOf } from "./arguments.js";
export {
	type ForwardedCall,
	parseInvokeArguments,
	writeInvokeArguments,
} from "./dotnetify/forwarded-call.js";
export {
	CONTEXT_KEY,
	type ForwardedContext,
	MAX_CONTEXT_LENGTH,
	parseForwardedContext,
	writeForwardedContext,
} from "./dotnetify/forwarded-context.js";
export { currentTarget, DISCONNECTED_METHOD, HubTarget, RESTORE_METHOD } from "./dotnetify/hub-target.js";
export {
	type LinkResponse,
	parseLinkResponse,
	RECIPIENT_KEY,
	writeLinkResponse,
} from "./dotnetify/link-response.js";
export { MAX_ID_LENGTH } from "./dotnetify/wire-values.js";
export { framedRecords } from "./framing/framed-records.js";
export { LengthSplitter, writeLengthPrefix } from "./framing/length-splitter.js";
export { TextSplitter } from "./framing/text-splitter.js";
export {
	type HandshakeRequest,
	MAX_HANDSHAKE_BYTES,
	parseHandshakeRequest,
	writeHandshakeResponse,
} from "./handshake.js";
export {
	type CloseMessage,
	type CompletionMessage,
	excerpt,
	type HubMessage,
	type InvocationMessage,
	isCall,
	MAX_READ_DEPTH,
	type MessageHeaders,
	MessageType,
	type StreamInvocationMessage,
	type StreamItemMessage,
} from "./hub-message.js";
export type { HubProtocol, RecordSplitter } from "./hub-protocol.js";
export { jsonProtocol } from "./json-protocol.js";
export { messagePackProtocol } from "./messagepack-protocol.js";
export { firstText, peek } from "./peek/peek.js";
export {
	type CallMessage,
	decodeRawMessage,
	encodeRawMessage,
	type RawCompletion,
	type RawInvocation,
	type RawMessage,
	type RawStreamInvocation,
	valueBytes,
} from "./peek/raw-message.js";
export { jsonText } from "./values/json-value.js";
export { readMessagePack, writeMessagePack } from "./values/messagepack-value.js";
export { MAX_WRITE_DEPTH, plainValue, type ValueForm } from "./values/plain-value.js";
export { isWithin, parseVmId, type VmIdSegment, vmIdRoot, vmIdRootType } from "./vm-id.js";
