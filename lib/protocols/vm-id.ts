/** One segment of a view-model id. */
export interface VmIdSegment {
	/** Name of the view model's type. */
	readonly type: string;
	/** What stands after `$`: the argument that tells instances of a type apart. */
	readonly instance: string | undefined;
}

/** A view-model id taken apart, outermost master first; never empty. */
export interface VmId {
	readonly path: readonly VmIdSegment[];
	/** The first segment. */
	readonly root: VmIdSegment;
}

/**
 * Takes a view-model id of dotNetify apart: `Type`, `Type$instance`, `Master.Child`, `Master.Child$instance`, to
 * any depth.
 * A dot always ends a segment, so an instance id holds no dots: dotNetify cuts an id at its last dot to find the
 * master,
 * whatever stands before it. Within a segment the first `$` ends the type. Any text is an id; that of a type
 * nobody registered is answered later.
 */
export function parseVmId(vmId: string): VmId {
	const path = vmId.split(".").map(parseSegment);
	return { path, root: path[0] ?? parseSegment("") };
}

function parseSegment(segment: string): VmIdSegment {
	const at = segment.indexOf("$");
	if (at < 0) return { type: segment, instance: undefined };
	return { type: segment.slice(0, at), instance: segment.slice(at + 1) };
}

/** The first segment with its instance: `chatroom$7` of `chatroom$7.List`. */
export function vmIdRoot(vmId: string): string {
	const at = vmId.indexOf(".");
	return at < 0 ? vmId : vmId.slice(0, at);
}

/** The type of the first segment: `chatroom` of `chatroom$7.List`. */
export function vmIdRootType(vmId: string): string {
	return parseSegment(vmIdRoot(vmId)).type;
}

/** Whether `vmId` is `ancestor` or one of the view models inside it, at any depth. */
export function isWithin(vmId: string, ancestor: string): boolean {
	return vmId === ancestor || vmId.startsWith(`${ancestor}.`);
}
