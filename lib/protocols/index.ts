export { type ArgumentEncoding, Arguments, encodingOf } from "./arguments.js";
export {
	CONTEXT_KEY,
	currentTarget,
	DISCONNECTED_METHOD,
	type ForwardedCall,
	type ForwardedContext,
	HubTarget,
	type LinkResponse,
	MAX_CONTEXT_LENGTH,
	MAX_ID_LENGTH,
	parseForwardedContext,
	parseInvokeArguments,
	parseLinkResponse,
	RECIPIENT_KEY,
	RESTORE_METHOD,
	writeForwardedContext,
	writeInvokeArguments,
	writeLinkResponse,
} from "./dotnetify-wire.js";
export { framedRecords } from "./framing/framed-records.js";
export { LengthSplitter, writeLengthPrefix } from "./framing/length-splitter.js";
export { TextSplitter } from "./framing/text-splitter.js";
export { MAX_HANDSHAKE_BYTES, parseHandshakeRequest, writeHandshakeResponse } from "./handshake.js";
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
