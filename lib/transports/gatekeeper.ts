import type { EventEmitter } from "node:events";
import type { IncomingMessage } from "node:http";
import { messageOf } from "../errors/index.js";
import type { Admission } from "./admission.js";
import { authenticateRequest, inTime } from "./authentication.js";
import type { ConnectionRequest, User } from "./connection.js";
import type { Redirection, ResolvedEndpointOptions } from "./options.js";
import { describeRequest } from "./request/client-address.js";
import { forbidden, Refusal, UNAVAILABLE } from "./request/refusal.js";

/** Why a browser's page is refused. */
const ANOTHER_ORIGIN =
	"the page is of another origin: name it in allowedOrigins, or pass Host on and set trustProxy where it is the same";

/** Least time between two lines in the log about connects that are refused since too many wait, in milliseconds. */
const FULL_LOG_MS = 10_000;

/** Finds out who asks and whether they may, by the functions of the application. Its methods throw a {@link Refusal}. */
export class Gatekeeper {
	readonly #options: ResolvedEndpointOptions;
	readonly #admission: Admission;
	/** Connects that were refused since the log was told so. */
	#refused = 0;
	#toldAt = Number.NEGATIVE_INFINITY;

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
		if (!this.#options.origins.allows(request)) throw new Refusal(forbidden(ANOTHER_ORIGIN));
	}

	/** Tells the log of a page whose browser will not let it read the answer; the browser's own words name no option. */
	noteOrigin(request: ConnectionRequest): void {
		const origin = request.headers.origin?.slice(0, 100);
		this.#options.log.debug({ origin, host: request.host }, `No CORS headers: ${ANOTHER_ORIGIN}.`);
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
		if (admitted === "full") this.#tellFull();
		throw new Refusal(UNAVAILABLE);
	}

	/** One line for all of them: anybody can ask as often as he likes. */
	#tellFull(): void {
		const { log, clock } = this.#options;
		this.#refused++;
		const now = clock.elapsed();
		if (now - this.#toldAt < FULL_LOG_MS) return;
		log.warn(
			{ waiting: this.#admission.waiting, refused: this.#refused },
			"Connects are refused: as many as may wait already (maxWaitingConnects).",
		);
		this.#toldAt = now;
		this.#refused = 0;
	}

	/** Who asks, once they are known and allowed to. */
	async admit(request: ConnectionRequest): Promise<User | undefined> {
		if (this.#options.exempts?.(request)) return undefined;
		return authenticateRequest(request, this.#options);
	}

	/** Where the application sends a client that negotiates; undefined: nowhere else. */
	async redirection(request: ConnectionRequest, user: User | undefined): Promise<Redirection | undefined> {
		return this.#options.redirect && (await inTime(this.#options.redirect(request, user), this.#options));
	}
}
