export type { Acks, DataSegment, LinkAck } from "./acks.js";
export {
	type AbortFrame,
	CLOSE_REASONS,
	type ClientFrame,
	type CloseFrame,
	type CloseReason,
	type DrainFrame,
	type EncodedRecord,
	type ForgetFrame,
	type Frame,
	type GroupFrame,
	type LoadFrame,
	type MessageFrame,
	type OpenFrame,
	type RecordFrame,
	type ResyncFrame,
	type RetainFrame,
	type SendFrame,
	type StateMark,
} from "./frame.js";
export { FrameReader } from "./frame-reader.js";
export { FrameWriter } from "./frame-writer.js";
export { commonVersion, type Hello, ID_BYTES, LINK_VERSIONS, type LinkRole } from "./hello.js";
export {
	MAX_BATCH_BYTES,
	MAX_CONTEXT_BYTES,
	MAX_FEATURES,
	MAX_FRAME_BYTES,
	MAX_NAME_BYTES,
	MAX_SEGMENT_BYTES,
	MAX_SESSION_LINKS,
	violation,
} from "./limits.js";
export {
	ByeCode,
	PING_SEGMENT,
	type Segment,
	SegmentReader,
	writeAckSegment,
	writeByeSegment,
	writeDataSegment,
	writeHelloSegment,
} from "./segment.js";
export type { ClientSelection } from "./selection.js";
