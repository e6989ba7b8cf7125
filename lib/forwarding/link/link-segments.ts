import { messageOf, TrunklineError } from "../../errors/index.js";
import {
	type Acks,
	ByeCode,
	type DataSegment,
	type Hello,
	PING_SEGMENT,
	type Segment,
	SegmentReader,
	violation,
	writeAckSegment,
	writeByeSegment,
	writeDataSegment,
	writeHelloSegment,
} from "../wire/index.js";

/** Who hears what comes over a link. Nothing comes after `over`. */
export interface LinkSegmentsListener {
	/** The first segment, once. @throws TrunklineError ERR_LINK_PROTOCOL where it is refused */
	hello(hello: Hello): void;
	data(data: DataSegment): void;
	acks(acks: Acks): void;
	/** The peer has ended the link, or broke the protocol (then it has been told so): close it. */
	over(code: number, error: TrunklineError): void;
}

/** Speaks segments over one link, whatever carries its bytes. HELLO → open → over. */
export class LinkSegments {
	readonly #reader = new SegmentReader();
	readonly #write: (bytes: Buffer) => void;
	readonly #listener: LinkSegmentsListener;
	#state: "hello" | "open" | "over" = "hello";

	constructor(write: (bytes: Buffer) => void, listener: LinkSegmentsListener) {
		this.#write = write;
		this.#listener = listener;
	}

	/** Takes bytes, cut anywhere. */
	receive(bytes: Buffer): void {
		if (this.#state === "over") return;
		try {
			this.#reader.push(bytes);
			for (let segment = this.#next(); segment; segment = this.#next()) this.#take(segment);
		} catch (thrown) {
			this.refuse(thrown);
		}
	}

	hello(hello: Hello): void {
		if (this.#state !== "over") this.#write(writeHelloSegment(hello));
	}

	send(data: DataSegment): void {
		if (this.#state !== "over") this.#write(writeDataSegment(data));
	}

	sendAck(acks: Acks): void {
		if (this.#state !== "over") this.#write(writeAckSegment(acks));
	}

	ping(): void {
		if (this.#state !== "over") this.#write(PING_SEGMENT);
	}

	/** Tells the peer that the link is over; nothing is sent or heard any more. */
	bye(code: number, text: string): void {
		if (this.#state === "over") return;
		this.#write(writeByeSegment(code, text));
		this.#state = "over";
	}

	/** Ends a link that cannot go on: the peer is told no more than the code, its owner hears why. */
	refuse(thrown: unknown): void {
		if (this.#state === "over") return;
		const error = thrown instanceof TrunklineError ? thrown : violation(messageOf(thrown), { cause: thrown });
		const code = error.code === "ERR_LINK_VERSION" ? ByeCode.Version : ByeCode.Violation;
		// Versions are no secret, and the other operator needs to know them as well.
		this.bye(code, code === ByeCode.Version ? error.message : error.code);
		this.#listener.over(code, error);
	}

	#next(): Segment | undefined {
		return this.#state === "over" ? undefined : this.#reader.next();
	}

	#take(segment: Segment): void {
		if (segment.kind === "bye") {
			this.#state = "over";
			this.#listener.over(segment.code, farewell(segment));
		} else if (segment.kind === "hello") this.#greeted(segment.hello);
		else if (segment.kind === "ping") return;
		else if (this.#state === "hello") throw violation(`a segment of kind ${segment.kind} came before HELLO`);
		else if (segment.kind === "data") this.#listener.data(segment.data);
		else this.#listener.acks(segment.acks);
	}

	#greeted(hello: Hello): void {
		if (this.#state !== "hello") throw violation("a second HELLO came");
		this.#state = "open";
		this.#listener.hello(hello);
	}
}

/** Why the peer has ended the link, as it says. */
function farewell({ code, text }: Segment & { readonly kind: "bye" }): TrunklineError {
	const cause = code === ByeCode.Version ? "ERR_LINK_VERSION" : "ERR_FORWARD_LINK_LOST";
	return new TrunklineError(cause, `The peer has ended the link (${code}): ${text.slice(0, 200)}`);
}
