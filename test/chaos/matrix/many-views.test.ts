import assert from "node:assert/strict";
import { HubClient } from "../clients/hub-client.js";
import { HUB_PATH } from "../processes/settings.js";
import type { Stage } from "../stage.js";
import { until } from "../until.js";
import { Act, VIEWS } from "./act.js";

const PAGES = 500;
const OTHERS = 20;
/** View models that each of the others asks for and gives back, again and again, all at the same time. */
const LOOPS = 4;

/** Whose view models were made, in their order, by all processes of the app server. */
function created({ app }: Stage): string[] {
	return app.told((told) => ("created" in told ? told.created : undefined));
}

/** Clients of the app server's own. */
class Others {
	readonly #clients: readonly HubClient[];
	readonly #over: Promise<unknown>;
	#isStopping = false;
	/** Calls that were answered. */
	answered = 0;

	private constructor(clients: readonly HubClient[]) {
		this.#clients = clients;
		const loops = Array.from({ length: LOOPS }, (_, at) => `Counter$${at}`);
		this.#over = Promise.all(clients.flatMap((client) => loops.map((vmId) => this.#call(client, vmId))));
	}

	static async open({ app }: Stage): Promise<Others> {
		const url = app.url + HUB_PATH;
		const opening = Array.from({ length: OTHERS }, () => HubClient.open(url, () => undefined));
		return new Others(await Promise.all(opening));
	}

	async stop(): Promise<void> {
		this.#isStopping = true;
		await this.#over;
		await Promise.all(this.#clients.map((client) => client.leave()));
	}

	async #call(client: HubClient, vmId: string): Promise<void> {
		while (!this.#isStopping) {
			await client.invoke("Request_VM", vmId, null);
			await client.invoke("Dispose_VM", vmId);
			this.answered += 2;
		}
	}
}

describe("chaos/matrix: an app server dies under many views", function () {
	this.timeout(60_000);
	let act: Act;

	beforeEach(() => {
		act = new Act();
	});
	afterEach(() => act.close());

	it(`makes ${PAGES * VIEWS.length} views current again, disconnects nobody, and answers others meanwhile`, async () => {
		const stage = await act.open({ kind: "views" });
		const views = await act.views(PAGES);
		const pages = new Set(created(stage));
		assert.equal(pages.size, PAGES);
		stage.relay.off();
		await stage.app.kill();
		const before = created(stage).length;
		await stage.app.start();
		const others = await Others.open(stage);
		await until(() => others.answered > 0);
		stage.relay.on();
		await act.current(views);
		await others.stop();
		assert.deepEqual(
			views.filter(({ hasEnded }) => hasEnded),
			[],
		);
		// In the order in which the new process has made them: those of others stand between those of the pages.
		const made = created(stage).slice(before);
		const isPage = (id: string): boolean => pages.has(id);
		const span = made.slice(made.findIndex(isPage), made.findLastIndex(isPage) + 1);
		const recovered = span.filter(isPage);
		assert.deepEqual(recovered.toSorted(), [...pages].toSorted(), "each once");
		const meanwhile = span.length - recovered.length;
		assert.ok(meanwhile > 0, `${meanwhile} calls of others were answered meanwhile`);
	});
});
