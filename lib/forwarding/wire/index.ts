export type { Acks, DataSegment } from "./acks.js";
export type {
	CloseFrame,
	EncodedRecord,
	Frame,
	ItemFrame,
	MessageFrame,
	OpenFrame,
	RecordFrame,
	ResyncFrame,
	RetainFrame,
	SendFrame,
	StateMark,
} from "./frame.js";
export { isPart } from "./frame-parts.js";
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
