import { ViewModel } from "../../lib/dotnetify/index.js";
import type { Employee, SimpleListState } from "./contracts.js";
import type { Employees } from "./employees.js";

/** Create, read, update and delete over the employees that all pages share. */
export class SimpleList extends ViewModel implements SimpleListState {
	static readonly itemKeys = { Employees: "Id" };
	Employees: Employee[];
	readonly #employees: Employees;

	constructor(employees: Employees) {
		super();
		this.#employees = employees;
		this.Employees = employees.all();
	}

	/** Adds somebody: `"First Last"`. */
	Add(name: string): void {
		this.addList("Employees", this.#employees.add(name));
	}

	/** Changes one or both names of the employee with the given `Id`. */
	Update(values: Partial<Employee> | null): void {
		if (values === null) return;
		const changed = this.#employees.update(values);
		if (changed) this.updateList("Employees", changed);
		// Another page removed this employee; so does this one.
		else this.removeList("Employees", values.Id);
	}

	/** Removes the employee with this `Id`. */
	Remove(id: number): void {
		this.#employees.remove(id);
		this.removeList("Employees", Number(id));
	}
}
