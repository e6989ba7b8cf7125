import { setTimeout as wait } from "node:timers/promises";
import { HttpTransportType, type HubConnection, HubConnectionBuilder, LogLevel } from "@microsoft/signalr";
import { WebSocket } from "ws";
import type { SoakClientOptions } from "./client.js";

const KIND = "WebSockets stateful";
const THINKING_MS = 5_000;
const LIFE_MS = 60_000;
/** A socket of it is lost after about this time. */
const SOCKET_MS = 10_000;
const RETRY_MS = 200;

/** A stock client that keeps its connection through lost sockets: not one of its calls may fail, or be answered twice. */
export class StatefulClient {
	readonly #options: SoakClientOptions;

	constructor(options: SoakClientOptions) {
		this.#options = options;
	}

	/** Lives until it is told to stop. */
	async live(): Promise<void> {
		const { stopping, diary } = this.#options;
		while (!stopping.aborted) {
			try {
				await this.#connection();
			} catch (error) {
				diary.notLetIn(`${KIND}: ${(error as Error).message}`);
				await this.#pause(RETRY_MS);
			}
		}
	}

	async #pause(ms: number): Promise<void> {
		await wait(ms, undefined, { signal: this.#options.stopping }).catch(() => undefined);
	}

	async #connection(): Promise<void> {
		const { diary, random } = this.#options;
		const sockets: WebSocket[] = [];
		const connection = this.#build(sockets);
		await connection.start();
		diary.connected(KIND);
		let [isOver, why] = [false, ""];
		connection.onclose((error) => {
			isOver = true;
			why = error?.message ?? "without error";
		});
		const end = performance.now() + random.below(2 * LIFE_MS);
		const killing = this.#loseSockets(sockets, () => isOver || performance.now() > end);
		while (performance.now() < end && !this.#options.stopping.aborted && !isOver) {
			await this.#pause(random.below(2 * THINKING_MS));
			if (!isOver) await this.#work(connection);
		}
		if (isOver) diary.fault(`${KIND}: the connection ended, ${why}`);
		isOver = true;
		await killing;
		diary.ended("stop");
		await connection.stop();
	}

	#build(sockets: WebSocket[]): HubConnection {
		const { address } = this.#options;
		class Captured extends WebSocket {
			constructor(...parameters: ConstructorParameters<typeof WebSocket>) {
				super(...parameters);
				sockets.splice(0, sockets.length, this);
			}
		}
		// The stock client takes a class of sockets, and does not declare that it does.
		const settings = { transport: HttpTransportType.WebSockets, WebSocket: Captured };
		const connection = new HubConnectionBuilder()
			.withUrl(`http://127.0.0.1:${address.port}${address.path}`, settings)
			.withStatefulReconnect()
			.configureLogging(LogLevel.None)
			.build();
		connection.on("asked", (value: unknown) => value);
		return connection;
	}

	async #loseSockets(sockets: readonly WebSocket[], isOver: () => boolean): Promise<void> {
		const { diary, random, stopping } = this.#options;
		while (!stopping.aborted) {
			await this.#pause(random.below(2 * SOCKET_MS));
			if (isOver() || stopping.aborted) return;
			// The stock client gives up where the socket that it comes back with is lost before it is open.
			if (sockets[0]?.readyState !== WebSocket.OPEN) continue;
			sockets[0].terminate();
			diary.ended("socket of a stateful client");
		}
	}

	async #work(connection: HubConnection): Promise<void> {
		const { diary, random } = this.#options;
		const value = random.below(1_000_000);
		try {
			const [method, what] = random.once(3) ? ["ask", "client result"] : ["echo", "echo"];
			if ((await connection.invoke(method, value)) === value) diary.worked(`${what}, stateful`);
			else diary.fault(`${KIND}, ${what}: a wrong answer`);
		} catch (error) {
			diary.fault(`${KIND}: ${(error as Error).message}`);
		}
	}
}
