import { HubException, TrunklineError, unknownMethodText } from "../../errors/index.js";
import {
	type Arguments,
	type CompletionMessage,
	excerpt,
	type HubMessage,
	type InvocationMessage,
	MessageType,
	type StreamInvocationMessage,
} from "../../protocols/index.js";
import type { ClientConnection } from "../clients/client-connection.js";
import { PreparedMessage } from "../clients/prepared-message.js";
import type { Hub } from "../hub.js";
import { failureText, notStreamingText } from "./failure-text.js";
import { type DeferredAnswer, InvocationContext } from "./invocation-context.js";
import { type BoundMethod, bindMethods, type HubMethods } from "./method.js";
import { compose, type Middleware } from "./middleware.js";

/** Thrown where the pipeline ends without a method; what a middleware that catches it gets to read. */
class UnknownMethod extends HubException {
	constructor() {
		super("Method does not exist.");
	}
}

/** Whom an answer is for, and of what. */
interface Called {
	readonly client: ClientConnection;
	readonly target: string;
	readonly invocationId: string | undefined;
}

/** Takes invocations through the middleware list to the declared methods, and answers them. */
export class Dispatcher {
	readonly #hub: Hub;
	readonly #methods: ReadonlyMap<string, BoundMethod>;
	readonly #list: Middleware[] = [];
	#pipeline: Middleware = compose([]);

	constructor(hub: Hub, methods: HubMethods<never>) {
		this.#hub = hub;
		this.#methods = bindMethods(methods);
	}

	use(middleware: Middleware): void {
		this.#list.push(middleware);
		this.#pipeline = compose([...this.#list]);
	}

	/** Runs one message of a client to its end. Never rejects. */
	async dispatch(client: ClientConnection, message: HubMessage): Promise<void> {
		if (message.type === MessageType.Invocation) await this.#invoke(client, message);
		else if (message.type === MessageType.StreamInvocation) this.#refuseStream(client, message);
	}

	async #invoke(client: ClientConnection, message: InvocationMessage): Promise<void> {
		this.#hub.counters.add("invocations");
		const bound = this.#methods.get(message.target.toLowerCase());
		const called: Called = {
			client,
			target: bound?.name ?? message.target,
			invocationId: message.invocationId,
		};
		let answer = (found: DeferredAnswer): void => this.#answer(called, found);
		try {
			const args = await bound?.bind(message.arguments.values);
			const ctx = this.#contextOf(called, message.arguments);
			answer = (found) => ctx.answer(found);
			await this.#pipeline(ctx, async () => {
				if (!bound || !args) throw new UnknownMethod();
				ctx.result = await bound.call(ctx as InvocationContext<never>, args);
			});
			if (!ctx.isDeferred) answer({ result: ctx.result });
		} catch (thrown) {
			answer({ error: this.#failed(called, thrown) });
		}
	}

	#contextOf(called: Called, args: Arguments): InvocationContext {
		const { client, target, invocationId } = called;
		const route = this.#hub.options.route?.(target, args);
		const call = { target, arguments: args, invocationId, route };
		return new InvocationContext(this.#hub, client, call, (answer) => this.#answer(called, answer));
	}

	/** Counts and logs a failed invocation; returns what its caller is told. */
	#failed({ client, target }: Called, thrown: unknown): string {
		this.#hub.counters.add("invocationErrors");
		if (thrown instanceof UnknownMethod) return unknownMethodText(target);
		this.#logFailure({ target: excerpt(target), connectionId: client.connectionId }, thrown);
		return failureText(target, thrown, this.#hub.options.detailedErrors);
	}

	/** A caller can pass wrong arguments as often as it likes: that is no event for the log. */
	#logFailure(fields: object, thrown: unknown): void {
		const { log } = this.#hub;
		if (thrown instanceof TrunklineError && thrown.code === "ERR_ARGUMENTS") {
			log.debug({ ...fields, code: thrown.code, reason: thrown.message }, "An invocation was refused.");
		} else {
			log.error({ err: thrown, ...fields }, "An invocation failed.");
		}
	}

	#refuseStream(client: ClientConnection, message: StreamInvocationMessage): void {
		const bound = this.#methods.get(message.target.toLowerCase());
		const error = bound ? notStreamingText(bound.name) : unknownMethodText(message.target);
		this.#answer({ client, target: message.target, invocationId: message.invocationId }, { error });
	}

	#answer(called: Called, answer: DeferredAnswer): void {
		const { client, invocationId } = called;
		if (invocationId === undefined) return;
		try {
			client.sendPrepared(new PreparedMessage(completionOf(invocationId, answer)));
		} catch (cause) {
			const error = this.#failed(called, cause);
			client.sendPrepared(new PreparedMessage(completionOf(invocationId, { error })));
		}
	}
}

function completionOf(invocationId: string, answer: DeferredAnswer): CompletionMessage {
	return answer.error === undefined
		? { type: MessageType.Completion, invocationId, hasResult: true, result: answer.result ?? null }
		: { type: MessageType.Completion, invocationId, error: answer.error };
}
