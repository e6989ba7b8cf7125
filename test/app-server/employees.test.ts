import assert from "node:assert/strict";
import { Employees } from "../../app-server/view-models/employees.js";
import { MAX_EMPLOYEES, MAX_NAME_LENGTH } from "../../app-server/view-models/limits.js";

describe("app-server/view-models/employees", () => {
	it("splits a name at the first blank", () => {
		const employees = new Employees([]);
		assert.deepEqual(employees.add("  Ludwig van  Beethoven "), {
			Id: 1,
			FirstName: "Ludwig",
			LastName: "van Beethoven",
		});
		assert.deepEqual(employees.add("Cher"), { Id: 2, FirstName: "Cher", LastName: "" });
	});

	for (const name of ["", "   ", null, undefined, {}, []]) {
		it(`refuses ${JSON.stringify(name)} as a name`, () => {
			assert.throws(() => new Employees([]).add(name), {
				name: "HubException",
				message: "An employee needs a name.",
			});
		});
	}

	it("keeps so many characters of a name and cuts none in two", () => {
		const employee = new Employees([]).add("😀".repeat(MAX_NAME_LENGTH + 1));
		assert.equal(employee.FirstName, "😀".repeat(MAX_NAME_LENGTH));
	});

	it(`takes ${MAX_EMPLOYEES} employees and no more until one is removed`, () => {
		const employees = new Employees([]);
		for (let count = 0; count < MAX_EMPLOYEES; count++) employees.add(`Nr ${count}`);
		assert.throws(() => employees.add("One More"), { name: "HubException", message: /is full/ });
		assert.equal(employees.remove(1), true);
		assert.equal(employees.add("One More").Id, MAX_EMPLOYEES + 1);
	});

	it("changes what is given and keeps the rest", () => {
		const employees = new Employees(["Ada Lovelace"]);
		assert.deepEqual(employees.update({ Id: "1", LastName: "King" }), {
			Id: 1,
			FirstName: "Ada",
			LastName: "King",
		});
		assert.deepEqual(employees.update({ Id: 1, FirstName: "", LastName: null }), employees.all()[0]);
		assert.equal(employees.update({ Id: 9, FirstName: "Nobody" }), undefined);
	});

	it("does not know who was removed", () => {
		const employees = new Employees(["Ada Lovelace", "Alan Turing"]);
		assert.equal(employees.remove("1"), true);
		assert.equal(employees.remove(1), false);
		assert.deepEqual(employees.all(), [{ Id: 2, FirstName: "Alan", LastName: "Turing" }]);
	});
});
