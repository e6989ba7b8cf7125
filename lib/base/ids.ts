import { randomBytes } from "node:crypto";

/** 128 random bits as 22 characters of base64url: the form of SignalR's connection ids and tokens. */
export function randomId(): string {
	return randomBytes(16).toString("base64url");
}

/** A short random name for a process where no other is given (`s` and 8 hex digits). */
export function randomName(): string {
	return `s${randomBytes(4).toString("hex")}`;
}
