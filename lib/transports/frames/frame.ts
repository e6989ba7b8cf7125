/** Opcodes of RFC 6455 §5.2. */
export const CONTINUATION = 0x0;
export const TEXT = 0x1;
export const BINARY = 0x2;
export const CLOSE = 0x8;
export const PING = 0x9;
export const PONG = 0xa;

/** The first bit of a frame: nothing of its message follows. */
export const FINAL = 0x80;

/** Status codes of closing handshakes (RFC 6455 §7.4.1). */
export const NORMAL_CLOSURE = 1000;
export const PROTOCOL_ERROR = 1002;
export const INVALID_PAYLOAD = 1007;
export const POLICY_VIOLATION = 1008;
export const TOO_BIG = 1009;

/** Largest payload of a control frame, in bytes (RFC 6455 §5.5). */
export const MAX_CONTROL_BYTES = 125;

/** A client broke RFC 6455 or a limit. Its message names what is wrong with the frames, and nothing that they carry. */
export class FrameViolation extends Error {
	/** The status code that the client is told. */
	readonly status: number;

	constructor(status: number, message: string) {
		super(message);
		this.name = "FrameViolation";
		this.status = status;
	}
}
