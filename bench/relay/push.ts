import { setTimeout as wait } from "node:timers/promises";
import { HttpTransportType, HubConnectionBuilder, LogLevel } from "@microsoft/signalr";
import { startStand } from "../stand.js";
import { HUB_PATH, PUSH_TARGET } from "../subject/role.js";
import { PLAIN_PUSH, type Push, RESPONSE_PUSH } from "./trials.js";

const ARRIVAL_MS = 1_000;

/** Finds out, with a stock client, whether the link carries calls of any client method or only dotNetify's. */
export async function findPush(): Promise<Push> {
	const stand = await startStand("proxy");
	const client = new HubConnectionBuilder()
		.withUrl(`http://127.0.0.1:${stand.port}${HUB_PATH}`, { transport: HttpTransportType.WebSockets })
		.configureLogging(LogLevel.None)
		.build();
	try {
		const pushed = new Promise<boolean>((resolve) => client.on(PUSH_TARGET, () => resolve(true)));
		await client.start();
		await client.invoke("push", "?");
		return (await Promise.race([pushed, wait(ARRIVAL_MS, false)])) ? PLAIN_PUSH : RESPONSE_PUSH;
	} catch {
		return RESPONSE_PUSH;
	} finally {
		await client.stop();
		await stand.stop();
	}
}
