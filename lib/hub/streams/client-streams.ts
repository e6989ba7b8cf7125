import { TrunklineError } from "../../errors/index.js";
import type { CompletionMessage, StreamItemMessage } from "../../protocols/index.js";
import { Download } from "./download.js";
import { Upload, type UploadRelay, UploadRoom } from "./upload.js";

/** Bounds of one client's streams. */
export interface StreamLimits {
	readonly maxStreamsPerConnection: number;
	readonly streamBufferCapacity: number;
}

/** The streams of one client, by the ids that it gave them. Made when it uses the first one. */
export class ClientStreams {
	readonly #limits: StreamLimits;
	readonly #downloads = new Map<string, Download>();
	readonly #uploads = new Map<string, Upload>();
	readonly #uploadRoom: UploadRoom;
	/** Calls that were given a place by {@link open}, {@link enter} or {@link stay} and have not left it. */
	#calls = 0;

	constructor(limits: StreamLimits) {
		this.#limits = limits;
		this.#uploadRoom = new UploadRoom(limits.streamBufferCapacity);
	}

	/** Places that are taken: by streams of both directions, and by calls. */
	get size(): number {
		return this.#calls + this.#uploads.size;
	}

	/** Opens a stream to the client; a text says why it cannot be. Its place is kept until {@link leave}. */
	open(invocationId: string): Download | string {
		if (this.#downloads.has(invocationId)) return `Invocation ID '${invocationId}' is already in use.`;
		const refusal = this.#refusalOf(1);
		if (refusal !== undefined) return refusal;
		this.#calls++;
		const download = new Download();
		this.#downloads.set(invocationId, download);
		void download.ended.then(() => this.#downloads.delete(invocationId));
		return download;
	}

	/** Gives a call a place that has come with streams it cannot have; a text says why it cannot be. Kept until {@link leave}. */
	enter(): string | undefined {
		const refusal = this.#refusalOf(1);
		if (refusal === undefined) this.#calls++;
		return refusal;
	}

	/** Gives a call a place, whatever is taken already. Kept until {@link leave}. */
	stay(): void {
		this.#calls++;
	}

	/**
	 * A call has ended, and with it the generator that answered it: that may be long after its client has cancelled the
	 * stream, who could otherwise have any number of them running.
	 */
	leave(): void {
		this.#calls--;
	}

	/** Opens the uploads of a call; a text says why they cannot be. Close them when the call has ended. */
	openUploads(streamIds: readonly string[]): readonly Upload[] | string {
		const used = streamIds.find((id, at) => this.#uploads.has(id) || streamIds.indexOf(id) !== at);
		if (used !== undefined) return `Stream ID '${used}' is already in use.`;
		const refusal = this.#refusalOf(streamIds.length);
		if (refusal !== undefined) return refusal;
		return streamIds.map((id) => {
			const upload = new Upload(this.#limits.streamBufferCapacity, id, this.#uploadRoom);
			this.#uploads.set(id, upload);
			return upload;
		});
	}

	/** Hands what came of these uploads, and what comes, to `relay`, which never throws. Ids are free when their end was. */
	relayUploads(uploads: readonly Upload[], relay: UploadRelay): void {
		for (const upload of uploads) {
			upload.relay({
				item: (message) => relay.item(message),
				completed: (message) => {
					this.#forget(upload);
					relay.completed(message);
				},
			});
		}
	}

	/** The call that read these uploads has ended: what else comes of them is dropped. */
	closeUploads(uploads: readonly Upload[]): void {
		for (const upload of uploads) {
			upload.leave();
			this.#forget(upload);
		}
	}

	/** The id may be another upload's by now. */
	#forget(upload: Upload): void {
		if (this.#uploads.get(upload.streamId) === upload) this.#uploads.delete(upload.streamId);
	}

	/** Whether something can still come of an upload of this id. */
	isUploading(streamId: string): boolean {
		return this.#uploads.has(streamId);
	}

	/** Takes an item of an upload; a returned promise asks for back-pressure. Unknown ids are passed over. */
	item(message: StreamItemMessage): Promise<void> | undefined {
		return this.#uploads.get(message.invocationId)?.push(message);
	}

	/** Takes the end of an upload; false where there is no such upload. */
	completed(message: CompletionMessage): boolean {
		const upload = this.#uploads.get(message.invocationId);
		upload?.complete(message);
		return upload !== undefined;
	}

	/** The client wants no more of a stream. */
	cancel(invocationId: string): void {
		this.#downloads.get(invocationId)?.stop("cancelled");
	}

	/** The client is gone, or the hub ends it. */
	end(): void {
		for (const download of this.#downloads.values()) download.stop("lost");
		const error = new TrunklineError(
			"ERR_CONNECTION_CLOSED",
			"The connection was closed before the client had ended its stream.",
		);
		for (const upload of this.#uploads.values()) upload.fail(error);
		this.#uploads.clear();
		this.#uploadRoom.open();
	}

	#refusalOf(more: number): string | undefined {
		const most = this.#limits.maxStreamsPerConnection;
		if (this.size + more <= most) return undefined;
		return `This connection has ${this.size} streams open; ${most} are allowed at once.`;
	}
}
