import type { ResolvedSessionOptions } from "./options.js";

/** Round trips that make the age at which a segment is copied. */
const ROUND_TRIPS = 4;
/** However long a round trip is, nothing is copied that is hardly older. */
const LEAST_ROUND_TRIPS = 1.5;
const SMOOTHING = 1 / 8;

/** How long a segment takes to be acknowledged, and so when one has been away for too long. */
export class RoundTrip {
	readonly #options: ResolvedSessionOptions;
	#smoothedMs = 0;
	#copyAfterMs: number;

	constructor(options: ResolvedSessionOptions) {
		this.#options = options;
		this.#copyAfterMs = options.copyAfterMs;
	}

	/** Smoothed, in milliseconds; 0 until one was measured. */
	get smoothedMs(): number {
		return this.#smoothedMs;
	}

	/** Age at which a segment is copied past which others were acknowledged. */
	get copyAfterMs(): number {
		return this.#copyAfterMs;
	}

	/** How long nothing may be acknowledged before one segment is copied, to find out. */
	get probeAfterMs(): number {
		const { maxCopyAfterMs } = this.#options;
		return Math.max(this.#copyAfterMs, Math.min(maxCopyAfterMs, ROUND_TRIPS * this.#copyAfterMs));
	}

	measured(ms: number): void {
		const { copyAfterMs, maxCopyAfterMs } = this.#options;
		this.#smoothedMs += this.#smoothedMs === 0 ? ms : (ms - this.#smoothedMs) * SMOOTHING;
		const most = Math.max(maxCopyAfterMs, LEAST_ROUND_TRIPS * this.#smoothedMs);
		this.#copyAfterMs = Math.max(copyAfterMs, Math.min(most, ROUND_TRIPS * this.#smoothedMs));
	}
}

/** Of the traffic, for copies. */
const SHARE = 0.1;
const MOST_BYTES = 512 * 1024;
const FIRST_BYTES = 64 * 1024;
/** For copies that wait when there is no traffic, each time that they are looked at. */
const TRICKLE_BYTES = 16 * 1024;

/** How many bytes of copies may be made: a tenth of the traffic, and a little when there is none. */
export class CopyPacing {
	#bytes = FIRST_BYTES;

	get allows(): boolean {
		return this.#bytes > 0;
	}

	/** A segment was sent for the first time. */
	earn(bytes: number): void {
		if (this.#bytes < MOST_BYTES) this.#bytes += bytes * SHARE;
	}

	/** A copy was made; what it takes beyond the account is owed. */
	spend(bytes: number): void {
		this.#bytes -= bytes;
	}

	/** Copies wait: without it they would for ever, as traffic does that waits for what they carry. */
	trickle(): void {
		this.#bytes += TRICKLE_BYTES;
	}
}
