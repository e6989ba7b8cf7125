import {
	Arguments,
	type CompletionMessage,
	type HubMessage,
	type HubProtocol,
	MessageType,
	type RecordSplitter,
	TextSplitter,
} from "../../../lib/protocols/index.js";
import type { Carrier, Violence } from "./carrier.js";

const MOST_BYTES = 1_000_000;
const ASKED = "asked";

/** What became of a call: how it was completed, and the items that came before. */
export interface Outcome {
	readonly completion: CompletionMessage;
	readonly items: readonly unknown[];
}

interface Pending {
	readonly items: unknown[];
	readonly resolve: (outcome: Outcome | undefined) => void;
}

/** A connection that speaks the hub protocol: handshake, calls, streams, and answers to what it is asked. */
export class Session {
	readonly #carrier: Carrier;
	readonly #protocol: HubProtocol;
	readonly #pending = new Map<string, Pending>();
	readonly #closed: Promise<void>;
	#splitter: RecordSplitter = new TextSplitter(MOST_BYTES);
	#shaken: (() => void) | undefined;
	#isShaken = false;
	#isClosed = false;
	#next = 0;
	/** What the server said that it must not say. */
	fault: string | undefined;
	/** Messages of the groups that it is in. */
	told = 0;

	constructor(carrier: Carrier, protocol: HubProtocol) {
		this.#carrier = carrier;
		this.#protocol = protocol;
		carrier.onBytes = (bytes) => {
			try {
				this.#read(bytes);
			} catch (error) {
				this.fault ??= (error as Error).message;
				carrier.kill("destroy");
			}
		};
		this.#closed = new Promise((resolve) => {
			carrier.onClosed = () => {
				this.#isClosed = true;
				for (const { resolve: settle } of this.#pending.values()) settle(undefined);
				this.#pending.clear();
				resolve();
			};
		});
	}

	get isClosed(): boolean {
		return this.#isClosed;
	}

	/** Resolves when the connection is over. */
	get closed(): Promise<void> {
		return this.#closed;
	}

	/** Resolves with whether the handshake was answered before the connection was over. */
	async shakeHands(): Promise<boolean> {
		const shaken = new Promise<void>((resolve) => {
			this.#shaken = resolve;
		});
		this.#carrier.send(Buffer.from(`{"protocol":"${this.#protocol.name}","version":1}\u001e`));
		await Promise.race([shaken, this.#closed]);
		return this.#isShaken;
	}

	/** Calls a method; resolves with nothing where the connection was over before the answer. */
	invoke(target: string, ...values: readonly unknown[]): Promise<Outcome | undefined> {
		return this.#call({ type: MessageType.Invocation, target, arguments: Arguments.of(values) });
	}

	/** Asks for a stream; `cancelAfterMs` gives it up. */
	stream(target: string, values: readonly unknown[], cancelAfterMs?: number): Promise<Outcome | undefined> {
		const called = this.#call({
			type: MessageType.StreamInvocation,
			target,
			arguments: Arguments.of(values),
		});
		const invocationId = String(this.#next);
		if (cancelAfterMs !== undefined)
			setTimeout(() => this.#send({ type: MessageType.CancelInvocation, invocationId }), cancelAfterMs);
		return called;
	}

	/** Calls a method with a stream of `items`; where `isLeftOpen` they have no end. */
	upload(
		target: string,
		items: readonly unknown[],
		options: { readonly isStream: boolean; readonly isLeftOpen: boolean },
	): Promise<Outcome | undefined> {
		const streamId = `u${this.#next}`;
		const type = options.isStream ? MessageType.StreamInvocation : MessageType.Invocation;
		const called = this.#call({ type, target, arguments: Arguments.of([]), streamIds: [streamId] });
		for (const item of items) this.#send({ type: MessageType.StreamItem, invocationId: streamId, item });
		if (!options.isLeftOpen) this.#send({ type: MessageType.Completion, invocationId: streamId });
		return called;
	}

	/** Says something that wants no answer. */
	tell(target: string, ...values: readonly unknown[]): void {
		this.#send({ type: MessageType.Invocation, target, arguments: Arguments.of(values) });
	}

	kill(how: Violence): void {
		this.#carrier.kill(how);
	}

	/** Says goodbye, where it has said hello; or leaves without a word. */
	close(isPolite: boolean): void {
		if (isPolite && this.#isShaken) this.#send({ type: MessageType.Close });
		this.#carrier.close();
	}

	#call(message: { type: 1 | 4; target: string; arguments: Arguments; streamIds?: readonly string[] }) {
		const invocationId = String(++this.#next);
		if (this.#isClosed) return Promise.resolve(undefined);
		return new Promise<Outcome | undefined>((resolve) => {
			this.#pending.set(invocationId, { items: [], resolve });
			this.#send({ ...message, invocationId });
		});
	}

	#send(message: HubMessage): void {
		if (!this.#isClosed) this.#carrier.send(this.#protocol.write(message));
	}

	#read(bytes: Buffer): void {
		this.#splitter.push(bytes);
		if (!this.#isShaken && !this.#readHandshake()) return;
		for (let record = this.#splitter.next(); record; record = this.#splitter.next()) {
			const message = this.#protocol.parse(record);
			if (message) this.#take(message);
		}
	}

	#readHandshake(): boolean {
		const answer = this.#splitter.next();
		if (!answer) return false;
		if (answer.toString() !== "{}") throw new Error(`the handshake was answered ${answer}`);
		this.#isShaken = true;
		const rest = this.#splitter.rest();
		this.#splitter = this.#protocol.createSplitter(MOST_BYTES);
		this.#splitter.push(rest);
		this.#shaken?.();
		return true;
	}

	#take(message: HubMessage): void {
		if (message.type === MessageType.Invocation && message.target === ASKED) {
			const { invocationId = "" } = message;
			this.#send({
				type: MessageType.Completion,
				invocationId,
				hasResult: true,
				result: message.arguments.first,
			});
		} else if (message.type === MessageType.Invocation) {
			this.told++;
		} else if (message.type === MessageType.StreamItem) {
			this.#pending.get(message.invocationId)?.items.push(message.item);
		} else if (message.type === MessageType.Completion) {
			const pending = this.#pending.get(message.invocationId);
			this.#pending.delete(message.invocationId);
			pending?.resolve({ completion: message, items: pending.items });
		}
	}
}
