import type { ViewModelClass, ViewModelFactory } from "../../lib/dotnetify/index.js";
import { ChatRoom } from "./chat-room.js";
import { Connection } from "./connection.js";
import { Employees } from "./employees.js";
import { HelloWorld } from "./hello-world.js";
import { LiveChart } from "./live-chart.js";
import { SimpleList } from "./simple-list.js";

/** What the view models of one app server share. */
export interface ViewModelsOptions {
	/** What the app server is called on the pages. */
	readonly serverId: string;
	/** @defaultValue ten pioneers */
	readonly employees?: Employees | undefined;
	/** People who may be in the chat room at the same time. @defaultValue 1_000 */
	readonly maxChatUsers?: number | undefined;
}

/** The view models of one app server, by the names that pages ask for. */
export function createViewModels({
	serverId,
	employees = new Employees(),
	maxChatUsers,
}: ViewModelsOptions): Record<string, ViewModelClass | ViewModelFactory> {
	return {
		ChatRoom: () => new ChatRoom(maxChatUsers),
		Connection: () => new Connection(serverId),
		HelloWorld,
		LiveChart,
		SimpleList: () => new SimpleList(employees),
	};
}
