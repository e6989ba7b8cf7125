import { Scene } from "../scene.js";
import type { Combination, Subject } from "../subject.js";
import { dispatchContract } from "../wire/dispatch.js";
import { framingContract } from "../wire/framing.js";
import { handshakeContract } from "../wire/handshake.js";
import { keepAliveContract } from "../wire/keep-alive.js";
import { longPollingContract } from "../wire/long-polling.js";
import { messagePackContract } from "../wire/messagepack.js";
import { messagesContract } from "../wire/messages.js";
import { negotiateContract } from "../wire/negotiate.js";
import { requestsContract } from "../wire/requests.js";
import { serverSentEventsContract } from "../wire/server-sent-events.js";
import { shutdownContract } from "../wire/shutdown.js";
import { statefulReconnectContract } from "../wire/stateful-reconnect.js";
import { addressingContract } from "./addressing.js";
import { clientResultsContract } from "./client-results.js";
import { downloadsContract } from "./downloads.js";
import { errorsContract } from "./errors.js";
import { invokingContract } from "./invoking.js";
import { lifetimeContract } from "./lifetime.js";
import { uploadsContract } from "./uploads.js";

/** What holds over every combination of transport and protocol. */
const EVERYWHERE = [
	invokingContract,
	errorsContract,
	downloadsContract,
	uploadsContract,
	clientResultsContract,
	addressingContract,
	lifetimeContract,
];

/** What holds for requests and sockets that speak json by hand. */
const BY_HAND = [
	negotiateContract,
	requestsContract,
	handshakeContract,
	framingContract,
	messagesContract,
	dispatchContract,
	keepAliveContract,
	serverSentEventsContract,
	longPollingContract,
	statefulReconnectContract,
	shutdownContract,
];

/** Declares the whole suite for one subject. Call it at the top level of a test file. */
export function hubContract(subject: Subject): void {
	describe(`reference: ${subject.name}`, function () {
		this.timeout(10_000);
		before(() => subject.open());
		after(() => subject.close());
		for (const combination of subject.combinations) {
			const { transport, protocol } = combination;
			describe(`${transport}, ${protocol}`, () => inScene(subject, combination, EVERYWHERE));
		}
		const speaksMessagePack = subject.combinations.some(({ protocol }) => protocol === "messagepack");
		const byHand = speaksMessagePack ? [...BY_HAND, messagePackContract] : BY_HAND;
		describe("by hand", () => inScene(subject, { transport: "WebSockets", protocol: "json" }, byHand));
	});
}

function inScene(
	subject: Subject,
	combination: Combination,
	contracts: readonly ((scene: () => Scene) => void)[],
): void {
	let scene: Scene;
	beforeEach(() => {
		scene = new Scene(subject, combination);
	});
	afterEach(() => scene.leave());
	for (const contract of contracts) contract(() => scene);
}
