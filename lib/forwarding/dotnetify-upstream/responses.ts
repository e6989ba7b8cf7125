import type { Hub, Selection } from "../../hub/index.js";
import { invocationOf, PreparedMessage } from "../../hub/index.js";
import { HubTarget, type LinkResponse } from "../../protocols/index.js";

/** Does at a proxy what an app server asks for: the seven kinds of dotNetify's wire. */
export async function applyResponse(hub: Hub, response: LinkResponse): Promise<void> {
	switch (response.kind) {
		case "AddToGroupAsync":
			return hub.groups.add(response.connectionId, response.group);
		case "RemoveFromGroupAsync":
			return hub.groups.remove(response.connectionId, response.group);
		default: {
			const invocation = invocationOf(HubTarget.Response, [[response.vmId, response.data]]);
			return hub.lifetime.send(selectionOf(response), new PreparedMessage(invocation));
		}
	}
}

type Sending = Exclude<LinkResponse, { kind: "AddToGroupAsync" | "RemoveFromGroupAsync" }>;

function selectionOf(response: Sending): Selection {
	switch (response.kind) {
		case "SendAsync":
			return { kind: "client", connectionId: response.connectionId };
		case "SendToManyAsync":
			return { kind: "clients", connectionIds: response.connectionIds };
		case "SendToGroupAsync":
			return { kind: "groups", groups: [response.group] };
		case "SendToGroupExceptAsync":
			return { kind: "groups", groups: [response.group], except: response.except };
		case "SendToUsersAsync":
			return { kind: "users", userIds: response.userIds };
	}
}
