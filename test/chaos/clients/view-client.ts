import { until } from "../until.js";
import { HubClient, type ProtocolName } from "./hub-client.js";

type State = Record<string, unknown>;

/** A page without a browser: asks for view models and shows what it is sent, as dotNetify's client does. */
export class ViewClient {
	readonly client: HubClient;
	/** What it shows, by view model. */
	readonly shown: ReadonlyMap<string, State>;
	/** Whether its connection has ended. */
	hasEnded = false;

	private constructor(client: HubClient, shown: ReadonlyMap<string, State>) {
		this.client = client;
		this.shown = shown;
		void client.ended.then(() => {
			this.hasEnded = true;
		});
	}

	/** Connects and asks for view models; resolves when it shows all of them. */
	static async open(
		url: string,
		vmIds: readonly string[],
		protocol: ProtocolName = "json",
	): Promise<ViewClient> {
		const shown = new Map<string, State>(vmIds.map((vmId) => [vmId, {}]));
		const take = (target: string, args: readonly unknown[]): void => {
			if (target !== "Response_VM") return;
			const [[vmId, text]] = args as [[string, string]];
			shown.set(vmId, { ...shown.get(vmId), ...(JSON.parse(text) as State) });
		};
		const view = new ViewClient(await HubClient.open(url, take, protocol), shown);
		for (const vmId of vmIds) await view.client.invoke("Request_VM", vmId, null);
		await until(() => [...shown.values()].every((state) => Object.keys(state).length > 0));
		return view;
	}

	/** One value of a view model. */
	value(vmId: string, name: string): unknown {
		return this.shown.get(vmId)?.[name];
	}

	/** Changes a view model; resolves when the server has done it. */
	async update(vmId: string, values: State): Promise<void> {
		await this.client.invoke("Update_VM", vmId, values);
	}
}
