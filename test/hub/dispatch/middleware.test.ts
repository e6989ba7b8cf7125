import assert from "node:assert/strict";
import { compose, type Middleware } from "../../../lib/hub/dispatch/middleware.js";
import type { InvocationContext } from "../../../lib/hub/index.js";

const CTX = {} as InvocationContext;

describe("hub/dispatch/middleware", () => {
	it("runs the list in order, around what is last", async () => {
		const seen: string[] = [];
		const step =
			(name: string): Middleware =>
			async (_ctx, next) => {
				seen.push(`${name} in`);
				await next();
				seen.push(`${name} out`);
			};
		await compose([step("a"), step("b")])(CTX, async () => void seen.push("last"));
		assert.deepEqual(seen, ["a in", "b in", "last", "b out", "a out"]);
	});

	it("runs only what is last where the list is empty", async () => {
		let runs = 0;
		await compose([])(CTX, async () => void runs++);
		assert.equal(runs, 1);
	});

	it("goes no further than a middleware that does not call next", async () => {
		let isReached = false;
		await compose([() => undefined])(CTX, async () => {
			isReached = true;
		});
		assert.equal(isReached, false);
	});

	it("refuses a second next, wherever it stands", async () => {
		const twice: Middleware = async (_ctx, next) => {
			await next();
			await next();
		};
		const once: Middleware = (_ctx, next) => next();
		for (const list of [[twice], [twice, once], [once, twice]]) {
			let runs = 0;
			await assert.rejects(async () => compose(list)(CTX, async () => void runs++), {
				code: "ERR_MIDDLEWARE",
			});
			assert.equal(runs, 1);
		}
	});

	it("rejects with what a middleware throws, also from its synchronous part", async () => {
		const thrown = new Error("no");
		const throwing: Middleware = () => {
			throw thrown;
		};
		await assert.rejects(async () => compose([throwing])(CTX, async () => {}), thrown);
	});

	it("can be run many times at once", async () => {
		let runs = 0;
		const composed = compose([(_ctx, next) => next()]);
		await Promise.all([1, 2, 3].map(() => composed(CTX, async () => void runs++)));
		assert.equal(runs, 3);
	});
});
