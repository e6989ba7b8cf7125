import { writeFileSync } from "node:fs";
import { Session } from "node:inspector/promises";
import { moment } from "./moment.js";

const SAMPLING_INTERVAL_US = 500;

/** What a server under test can be asked. */
export type SubjectRequest =
	/** What its heap and its buffers hold after a collection, in bytes. */
	| { readonly kind: "collect" }
	/** When links of its view models' hub came up, in {@link moment}s. */
	| { readonly kind: "links-up" }
	/** Answered by {@link HeldBytes}. */
	| { readonly kind: "held" }
	/** Profiles its CPU time from here. */
	| { readonly kind: "profile" }
	/** Ends that, and writes the profile, as `node --cpu-prof` would, to a file. */
	| { readonly kind: "write-profile"; readonly file: string };

/** What a server holds for clients that read slowly. */
export interface HeldBytes {
	readonly clients: number;
	/** Bytes that wait for the one with most. */
	readonly most: number;
}

/** The clients of a hub. */
type Clients = Iterable<{ readonly wire: { readonly bufferedBytes?: number | undefined } }>;

let session: Session | undefined;
const linksUp: number[] = [];
const watched: Clients[] = [];

/** A link of the view models' hub is up. */
export function linkIsUp(): void {
	linksUp.push(moment());
}

/** What is held for these clients can be asked. */
export function watchClients(clients: Clients): void {
	watched.push(clients);
}

function held(): HeldBytes {
	const bytes = watched.flatMap((clients) => [...clients].map(({ wire }) => wire.bufferedBytes ?? 0));
	return { clients: bytes.length, most: bytes.reduce((most, one) => Math.max(most, one), 0) };
}

async function startProfile(): Promise<null> {
	session = new Session();
	session.connect();
	await session.post("Profiler.enable");
	await session.post("Profiler.setSamplingInterval", { interval: SAMPLING_INTERVAL_US });
	await session.post("Profiler.start");
	return null;
}

async function writeProfile(file: string): Promise<null> {
	if (!session) throw new Error("profile first");
	const { profile } = await session.post("Profiler.stop");
	session.disconnect();
	session = undefined;
	writeFileSync(file, JSON.stringify(profile));
	return null;
}

function heapBytes(): number {
	globalThis.gc?.();
	const { heapUsed, external } = process.memoryUsage();
	return heapUsed + external;
}

async function answerTo(request: SubjectRequest): Promise<number | readonly number[] | HeldBytes | null> {
	switch (request.kind) {
		case "collect":
			return heapBytes();
		case "links-up":
			return linksUp;
		case "held":
			return held();
		case "profile":
			return startProfile();
		case "write-profile":
			return writeProfile(request.file);
	}
}

/** Has a server under test answer its parent's requests. */
export function answerRequests(): void {
	process.on("disconnect", () => process.exit());
	process.on("message", (request: SubjectRequest) => {
		answerTo(request).then(
			(result) => process.send?.({ result }),
			(error: unknown) => process.send?.({ error: String(error) }),
		);
	});
}
