import type { ByteReader } from "./byte-reader.js";
import type { ByteWriter } from "./byte-writer.js";
import { violation } from "./limits.js";

/** Which of a session's clients a message is for; clients by their numbers. */
export type ClientSelection =
	| { readonly kind: "all"; readonly except: readonly number[] }
	| { readonly kind: "groups"; readonly groups: readonly string[]; readonly except: readonly number[] }
	| { readonly kind: "clients"; readonly clients: readonly number[] };

const Kind = { All: 0, Groups: 1, Clients: 2 } as const;

/** Writes a selection. @throws TrunklineError ERR_FORWARD_TOO_LARGE for the name of a group */
export function writeSelection(writer: ByteWriter, selection: ClientSelection): void {
	switch (selection.kind) {
		case "all":
			writer.byte(Kind.All);
			writeNumbers(writer, selection.except);
			break;
		case "groups":
			writer.byte(Kind.Groups);
			writer.varint(selection.groups.length);
			for (const group of selection.groups) writer.name(group, "The name of a group");
			writeNumbers(writer, selection.except);
			break;
		case "clients":
			writer.byte(Kind.Clients);
			writeNumbers(writer, selection.clients);
			break;
	}
}

/** Reads a selection. @throws TrunklineError ERR_LINK_PROTOCOL */
export function readSelection(reader: ByteReader): ClientSelection {
	const kind = reader.byte();
	switch (kind) {
		case Kind.All:
			return { kind: "all", except: readNumbers(reader) };
		case Kind.Groups:
			return { kind: "groups", groups: readGroups(reader), except: readNumbers(reader) };
		case Kind.Clients:
			return { kind: "clients", clients: readNumbers(reader) };
		default:
			throw violation(`a selection of kind ${kind} is not known`);
	}
}

function writeNumbers(writer: ByteWriter, numbers: readonly number[]): void {
	writer.varint(numbers.length);
	for (const number of numbers) writer.varint(number);
}

function readNumbers(reader: ByteReader): readonly number[] {
	const count = reader.count(1);
	const numbers: number[] = [];
	for (let read = 0; read < count; read++) numbers.push(reader.varint());
	return numbers;
}

function readGroups(reader: ByteReader): readonly string[] {
	const count = reader.count(1);
	const groups: string[] = [];
	for (let read = 0; read < count; read++) groups.push(reader.name("the name of a group"));
	return groups;
}
