import { type HubConnection, HubConnectionBuilder, LogLevel } from "@microsoft/signalr";

/** How long one answer may take while others misbehave, in milliseconds. */
const ANSWER_TIMEOUT_MS = 10_000;

/** A stock client that behaves well, and must be served well. */
export class Witness {
	readonly #connection: HubConnection;
	readonly #faults: string[] = [];
	#isStopping = false;
	#told: unknown;
	#answers = 0;
	#loop: Promise<void> | undefined;

	constructor(port: number, path: string) {
		this.#connection = new HubConnectionBuilder()
			.withUrl(`http://127.0.0.1:${port}${path}`)
			.configureLogging(LogLevel.None)
			.build();
		this.#connection.on("told", (text) => {
			this.#told = text;
		});
		this.#connection.onclose((error) => {
			if (!this.#isStopping)
				this.#faults.push(`the witness was cut off: ${error?.message ?? "without error"}`);
		});
	}

	/** Correct answers so far. */
	get answers(): number {
		return this.#answers;
	}

	/** What it has to complain about. */
	get faults(): readonly string[] {
		return this.#faults;
	}

	async start(): Promise<void> {
		await this.#connection.start();
		this.#loop = this.#ask();
	}

	async stop(): Promise<void> {
		this.#isStopping = true;
		await this.#loop;
		await this.#connection.stop();
	}

	async #ask(): Promise<void> {
		for (let round = 0; !this.#isStopping && this.#faults.length === 0; round++) {
			try {
				await within(this.#look(round));
			} catch (error) {
				if (!this.#isStopping) this.#faults.push(`the witness: ${(error as Error).message}`);
			}
		}
	}

	/** One of each kind of work: an answer, a failure, a stream, and a call of its own group's. */
	async #look(round: number): Promise<void> {
		const value = { round, text: `round ${round}`, list: [round, null, true] };
		this.#expect(await this.#connection.invoke("echo", value), value);
		this.#expect(await this.#connection.invoke("add", round, 1), round + 1);
		await this.#connection.invoke("join", "witness").catch(() => undefined);
		this.#expect(await itemsOf(this.#connection, 3), [0, 1, 2]);
		const failure = await this.#connection.invoke("nope").catch((error: Error) => error.message);
		this.#expect(/Method does not exist\.$/.test(String(failure)), true);
	}

	#expect(found: unknown, wanted: unknown): void {
		const [a, b] = [JSON.stringify(found), JSON.stringify(wanted)];
		if (a !== b) throw new Error(`got ${a} for ${b} (last told: ${JSON.stringify(this.#told)})`);
		this.#answers++;
	}
}

function itemsOf(connection: HubConnection, count: number): Promise<unknown[]> {
	const items: unknown[] = [];
	return new Promise((resolve, reject) => {
		connection.stream("count", count).subscribe({
			next: (item) => items.push(item),
			error: reject,
			complete: () => resolve(items),
		});
	});
}

async function within(work: Promise<void>): Promise<void> {
	let timer: NodeJS.Timeout | undefined;
	const late = new Promise<never>((_, reject) => {
		const fail = (): void => reject(new Error(`got no answer for ${ANSWER_TIMEOUT_MS} ms`));
		timer = setTimeout(fail, ANSWER_TIMEOUT_MS);
	});
	try {
		await Promise.race([work, late]);
	} finally {
		clearTimeout(timer);
	}
}
