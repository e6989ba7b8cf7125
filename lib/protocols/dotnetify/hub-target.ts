/** Targets of dotNetify's hub, and its one target at the client (`Response`). */
export const HubTarget = {
	Request: "Request_VM",
	Update: "Update_VM",
	Dispose: "Dispose_VM",
	Invoke: "Invoke",
	Response: "Response_VM",
} as const;
export type HubTarget = (typeof HubTarget)[keyof typeof HubTarget];

const OBSOLETE_TARGETS: ReadonlyMap<string, HubTarget> = new Map([
	["Request_VM_Obsolete", HubTarget.Request],
	["Update_VM_Obsolete", HubTarget.Update],
	["Dispose_VM_Obsolete", HubTarget.Dispose],
]);

/** The present name of a target: dotNetify still answers to three `…_Obsolete` names; other names stay as they are. */
export function currentTarget(target: string): string {
	return OBSOLETE_TARGETS.get(target) ?? target;
}

/** The method name by which a proxy tells the app server that a client is gone. */
export const DISCONNECTED_METHOD = "OnDisconnectedAsync";
/** By this a proxy asks again for a view model with a snapshot (JSON text): `[vmId, data, state]`. No client may call it. */
export const RESTORE_METHOD = "Restore_VM";
