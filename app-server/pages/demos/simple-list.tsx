import { type FormEvent, useState } from "react";
import type { Employee, SimpleListState } from "../../view-models/contracts.js";
import { useViewModel } from "../use-view-model.js";
import { Problem, TextField } from "./fields.js";

const NOTHING_YET: SimpleListState = { Employees: [] };

type NameField = "FirstName" | "LastName";

/** Create, read, update and delete with the `SimpleList` view model. */
export function SimpleList() {
	const { state, ready, error, dispatch, show } = useViewModel("SimpleList", NOTHING_YET);

	function change(employee: Employee, values: Partial<Employee>): void {
		const changed = { ...employee, ...values };
		show({ Employees: state.Employees.map((other) => (other.Id === employee.Id ? changed : other)) });
		dispatch({ Update: { Id: employee.Id, ...values } });
	}

	function remove(employee: Employee): void {
		show({ Employees: state.Employees.filter((other) => other.Id !== employee.Id) });
		dispatch({ Remove: employee.Id });
	}

	return (
		<section aria-label="Employees">
			<AddEmployee disabled={!ready} onAdd={(name) => dispatch({ Add: name })} />
			<table>
				<thead>
					<tr>
						<th scope="col">First name</th>
						<th scope="col">Last name</th>
						<th scope="col">
							<span className="unseen">Actions</span>
						</th>
					</tr>
				</thead>
				<tbody>
					{state.Employees.map((employee) => (
						<tr key={employee.Id}>
							<NameCell field="FirstName" {...{ employee, ready, change }} />
							<NameCell field="LastName" {...{ employee, ready, change }} />
							<td>
								<button
									type="button"
									className="quiet"
									disabled={!ready}
									aria-label={`Remove ${employee.FirstName} ${employee.LastName}`}
									onClick={() => remove(employee)}
								>
									Remove
								</button>
							</td>
						</tr>
					))}
				</tbody>
			</table>
			<Problem text={error} />
		</section>
	);
}

interface AddEmployeeProps {
	readonly disabled: boolean;
	onAdd(name: string): void;
}

function AddEmployee({ disabled, onAdd }: AddEmployeeProps) {
	const [name, setName] = useState("");
	function submit(event: FormEvent): void {
		event.preventDefault();
		if (name.trim() === "") return;
		onAdd(name.trim());
		setName("");
	}
	return (
		<form className="row" onSubmit={submit}>
			<TextField
				label="New employee"
				placeholder="First and last name"
				value={name}
				disabled={disabled}
				onChange={setName}
			/>
			<button type="submit" disabled={disabled || name.trim() === ""}>
				Add
			</button>
		</form>
	);
}

interface NameCellProps {
	readonly field: NameField;
	readonly employee: Employee;
	readonly ready: boolean;
	change(employee: Employee, values: Partial<Employee>): void;
}

/** A name that is sent when the field is left or Enter is pressed; Escape takes the typing back. */
function NameCell({ field, employee, ready, change }: NameCellProps) {
	const value = employee[field];
	const [typed, setTyped] = useState<string>();
	function finish(): void {
		if (typed !== undefined && typed.trim() !== "" && typed !== value)
			change(employee, { [field]: typed.trim() });
		setTyped(undefined);
	}
	return (
		<td>
			<input
				type="text"
				maxLength={50}
				disabled={!ready}
				aria-label={`${field === "FirstName" ? "First" : "Last"} name of ${employee.FirstName} ${employee.LastName}`}
				value={typed ?? value}
				onChange={(event) => setTyped(event.currentTarget.value)}
				onBlur={finish}
				onKeyDown={(event) => {
					if (event.key === "Enter") finish();
					if (event.key === "Escape") setTyped(undefined);
				}}
			/>
		</td>
	);
}
