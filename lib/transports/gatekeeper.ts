import type { EventEmitter } from "node:events";
import type { IncomingMessage } from "node:http";
import { messageOf } from "../errors/index.js";
import type { Admission } from "./admission.js";
import type { ConnectionRequest, User } from "./connection.js";
import type { Redirection, ResolvedEndpointOptions } from "./options.js";
import { describeRequest } from "./request/client-address.js";
import { FORBIDDEN, Refusal, UNAUTHORIZED, UNAVAILABLE } from "./request/refusal.js";

/** Finds out who asks and whether they may, by the functions of the application. Its methods throw a {@link Refusal}. */
export class Gatekeeper {
	readonly #options: ResolvedEndpointOptions;
	readonly #admission: Admission;

	constructor(options: ResolvedEndpointOptions, admission: Admission) {
		this.#options = options;
		this.#admission = admission;
	}

	/** What `req` tells of its client. */
	describe(req: IncomingMessage): ConnectionRequest {
		return describeRequest(req, (address, hop) => {
			try {
				return this.#options.trust(address, hop);
			} catch (error) {
				this.#options.log.error(
					{ error: messageOf(error) },
					"The function trustProxy threw; nothing is trusted.",
				);
				return false;
			}
		});
	}

	/** Whether the request's page may open a connection that no CORS header guards. */
	checkOrigin(request: ConnectionRequest): void {
		if (!this.#options.origins.allows(request)) throw new Refusal(FORBIDDEN);
	}

	/** Lets a new connect in at once, or when its turn has come; `visitor` tells by `close` that it has left. */
	async pace(visitor: EventEmitter): Promise<void> {
		let abandon: (() => void) | undefined;
		const admitted = await this.#admission.enter((leave) => {
			abandon = leave;
			visitor.once("close", leave);
		});
		if (abandon) visitor.off("close", abandon);
		if (admitted === "admitted") return;
		if (admitted === "full") {
			this.#options.log.warn(
				{ waiting: this.#admission.waiting },
				"A connect was refused: as many as may wait already (maxWaitingConnects).",
			);
		}
		throw new Refusal(UNAVAILABLE);
	}

	/** Who asks, once they are known and allowed to. */
	async admit(request: ConnectionRequest): Promise<User | undefined> {
		const { authenticate, authorize, log } = this.#options;
		let user: User | undefined;
		try {
			user = await this.#inTime(authenticate(request));
		} catch (error) {
			if (error instanceof Refusal) throw error;
			log.debug({ error: messageOf(error), ip: request.ip }, "A request was not authenticated.");
			throw new Refusal(UNAUTHORIZED);
		}
		if (authorize && !(await this.#inTime(authorize(user, request)))) {
			throw new Refusal(user === undefined ? UNAUTHORIZED : FORBIDDEN);
		}
		return user;
	}

	/** Where the application sends a client that negotiates; undefined: nowhere else. */
	async redirection(request: ConnectionRequest, user: User | undefined): Promise<Redirection | undefined> {
		return this.#options.redirect && (await this.#inTime(this.#options.redirect(request, user)));
	}

	#inTime<T>(found: Promise<T> | T): Promise<T> | T {
		if (!isThenable(found)) return found;
		const { authenticateTimeoutMs, clock } = this.#options;
		return new Promise<T>((resolve, reject) => {
			const timer = clock.schedule(authenticateTimeoutMs, () => reject(new Refusal(UNAVAILABLE)));
			Promise.resolve(found)
				.finally(() => timer.cancel())
				.then(resolve, reject);
		});
	}
}

function isThenable<T>(value: Promise<T> | T): value is Promise<T> {
	return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
}
