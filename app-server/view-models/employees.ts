import { HubException } from "../../lib/index.js";
import type { Employee } from "./contracts.js";
import { limitText, MAX_EMPLOYEES, MAX_NAME_LENGTH } from "./limits.js";

const FIRST_EMPLOYEES = [
	"Ada Lovelace",
	"Alan Turing",
	"Barbara Liskov",
	"Donald Knuth",
	"Edsger Dijkstra",
	"Frances Allen",
	"Grace Hopper",
	"John Backus",
	"Leslie Lamport",
	"Radia Perlman",
];

/** The employees of one app server, in its memory only. All pages share them; each sees what others did when it loads. */
export class Employees {
	readonly #byId = new Map<number, Employee>();
	#lastId = 0;

	constructor(names: readonly string[] = FIRST_EMPLOYEES) {
		for (const name of names) this.add(name);
	}

	all(): Employee[] {
		return [...this.#byId.values()];
	}

	/**
	 * Takes somebody in: the first word is the first name, the rest the last name.
	 * @throws HubException when the list is full or the name is empty
	 */
	add(name: unknown): Employee {
		if (this.#byId.size >= MAX_EMPLOYEES) {
			throw new HubException(`The list holds ${MAX_EMPLOYEES} employees and is full. Remove one first.`);
		}
		const [first = "", ...rest] = limitText(name, 2 * MAX_NAME_LENGTH).split(/\s+/);
		if (first === "") throw new HubException("An employee needs a name.");
		const names = {
			FirstName: limitText(first, MAX_NAME_LENGTH),
			LastName: limitText(rest.join(" "), MAX_NAME_LENGTH),
		};
		const employee = { Id: ++this.#lastId, ...names };
		this.#byId.set(employee.Id, employee);
		return employee;
	}

	/** Changes the names that are given and not empty; undefined when nobody has that id. */
	update({
		Id,
		FirstName,
		LastName,
	}: { readonly [Field in keyof Employee]?: unknown }): Employee | undefined {
		const employee = this.#byId.get(Number(Id));
		if (!employee) return undefined;
		const changed = {
			Id: employee.Id,
			FirstName: limitText(FirstName, MAX_NAME_LENGTH) || employee.FirstName,
			LastName: limitText(LastName, MAX_NAME_LENGTH) || employee.LastName,
		};
		this.#byId.set(employee.Id, changed);
		return changed;
	}

	/** False when nobody has that id. */
	remove(id: unknown): boolean {
		return this.#byId.delete(Number(id));
	}
}
