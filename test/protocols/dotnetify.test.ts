import assert from "node:assert/strict";
import { inspect } from "node:util";
import fc from "fast-check";
import {
	CONTEXT_KEY,
	currentTarget,
	type ForwardedContext,
	HubTarget,
	type LinkResponse,
	MAX_CONTEXT_LENGTH,
	MAX_ID_LENGTH,
	parseForwardedContext,
	parseInvokeArguments,
	parseLinkResponse,
	RECIPIENT_KEY,
	writeForwardedContext,
	writeInvokeArguments,
	writeLinkResponse,
} from "../../lib/protocols/index.js";
import { readVectors, throwsCode } from "./messages.js";

/** Frames of dotNetify 5.4 as they were recorded between its proxy and its app server. */
interface Vectors {
	readonly responses: { readonly argument: unknown[]; readonly response: LinkResponse }[];
	readonly invokes: [string, unknown[], { $fwdConnContext: string }][];
}

const vectors = readVectors<Vectors>("dotnetify-wire");
const smallest = { HubId: "h", ConnectionId: "c" };

const refusesLink = throwsCode("ERR_LINK_PROTOCOL");

function contextWith(fields: object): string {
	return JSON.stringify({ ...smallest, ...fields });
}

const id = fc.string({ minLength: 1, maxLength: MAX_ID_LENGTH });
const ids = fc.array(id);
const name = fc.string().filter((text) => text !== "__proto__");
const data = { vmId: fc.option(fc.string()), data: fc.json() };
const response: fc.Arbitrary<LinkResponse> = fc.oneof(
	fc.record({ kind: fc.constant("SendAsync" as const), connectionId: id, ...data }),
	fc.record({ kind: fc.constant("SendToManyAsync" as const), connectionIds: ids, ...data }),
	fc.record({ kind: fc.constant("SendToGroupAsync" as const), group: fc.string(), ...data }),
	fc.record({
		kind: fc.constant("SendToGroupExceptAsync" as const),
		group: fc.string(),
		except: ids,
		...data,
	}),
	fc.record({ kind: fc.constant("SendToUsersAsync" as const), userIds: ids, ...data }),
	fc.record({
		kind: fc.constantFrom("AddToGroupAsync" as const, "RemoveFromGroupAsync" as const),
		group: fc.string(),
		connectionId: id,
	}),
);

const context: fc.Arbitrary<ForwardedContext> = fc.record(
	{
		hubId: id,
		connectionId: id,
		timeStamp: fc.string(),
		httpConnection: fc.record(
			{
				connectionId: id,
				localIpAddress: fc.ipV4(),
				remoteIpAddress: fc.ipV6(),
				localPort: fc.nat(65_535),
				remotePort: fc.nat(65_535),
			},
			{ requiredKeys: [], noNullPrototype: true },
		),
		headers: fc.dictionary(name, fc.array(fc.string()), { noNullPrototype: true }),
		userAgent: fc.string(),
		items: fc.dictionary(name, fc.string(), { noNullPrototype: true }),
		user: fc.record(
			{ id: fc.string(), claims: fc.dictionary(name, fc.string(), { noNullPrototype: true }) },
			{ requiredKeys: [], noNullPrototype: true },
		),
	},
	{ requiredKeys: ["hubId", "connectionId", "headers", "items"], noNullPrototype: true },
);

describe("protocols/dotnetify", () => {
	it("maps the obsolete targets to the present ones and leaves others alone", () => {
		assert.equal(currentTarget("Request_VM_Obsolete"), HubTarget.Request);
		assert.equal(currentTarget("Update_VM_Obsolete"), HubTarget.Update);
		assert.equal(currentTarget("Dispose_VM_Obsolete"), HubTarget.Dispose);
		assert.equal(currentTarget("Invoke"), HubTarget.Invoke);
		assert.equal(currentTarget("constructor"), "constructor");
	});

	describe("responses", () => {
		it("covers all seven kinds with recorded frames", () => {
			assert.equal(new Set(vectors.responses.map(({ response: { kind } }) => kind)).size, 7);
		});

		for (const { argument, response: expected } of vectors.responses) {
			it(`reads and writes the recorded ${expected.kind}`, () => {
				assert.deepEqual(parseLinkResponse(argument), expected);
				assert.deepEqual(writeLinkResponse(expected), argument);
			});
		}

		it("reads what it wrote", () => {
			fc.assert(
				fc.property(response, (sent) =>
					assert.deepEqual(parseLinkResponse(writeLinkResponse(sent)), { ...sent }),
				),
			);
		});

		it("writes one null where nobody is left out, and reads nulls as nobody", () => {
			const sent: LinkResponse = {
				kind: "SendToGroupExceptAsync",
				group: "g",
				except: [],
				vmId: "A",
				data: "{}",
			};
			assert.deepEqual(writeLinkResponse(sent)[2], { [RECIPIENT_KEY]: "[null]" });
			const read = parseLinkResponse([
				"SendToGroupExceptAsync",
				["g", "A", "{}"],
				{ [RECIPIENT_KEY]: '[null,"c"]' },
			]);
			assert.deepEqual(read, { ...sent, except: ["c"] });
		});

		it("leaves an array of two to the link's own connection", () => {
			assert.equal(parseLinkResponse(["HelloWorld", "{}"]), undefined);
		});

		const to = { [RECIPIENT_KEY]: "c" };
		const refused: [string, unknown][] = [
			["no array", "HelloWorld"],
			["one item", ["SendAsync"]],
			["four items", ["SendAsync", ["A", "{}"], to, 1]],
			["a kind that is not known", ["toString", ["A", "{}"], to]],
			["a kind that is no text", [1, ["A", "{}"], to]],
			["arguments that are no array", ["SendAsync", null, to]],
			["too few arguments", ["SendAsync", ["A"], to]],
			["too many arguments", ["SendAsync", ["A", "{}", 1], to]],
			["a vmId that is no text", ["SendAsync", [1, "{}"], to]],
			["no metadata where it is needed", ["SendAsync", ["A", "{}"], null]],
			["metadata that is no object", ["SendAsync", ["A", "{}"], "c"]],
			["an empty id", ["SendAsync", ["A", "{}"], { [RECIPIENT_KEY]: "" }]],
			[
				"an id that is too long",
				["SendAsync", ["A", "{}"], { [RECIPIENT_KEY]: "c".repeat(MAX_ID_LENGTH + 1) }],
			],
			["ids that are not JSON", ["SendToManyAsync", ["A", "{}"], { [RECIPIENT_KEY]: "c" }]],
			["ids that are no array", ["SendToManyAsync", ["A", "{}"], { [RECIPIENT_KEY]: "{}" }]],
			["an id that is no text", ["SendToManyAsync", ["A", "{}"], { [RECIPIENT_KEY]: "[1]" }]],
			["a group that is no text", ["AddToGroupAsync", [null], to]],
			["users that are no array", ["SendToUsersAsync", ["u", "A", "{}"], null]],
		];
		for (const [what, argument] of refused) {
			it(`refuses ${what}`, () => assert.throws(() => parseLinkResponse(argument), refusesLink));
		}

		it("throws nothing but ERR_LINK_PROTOCOL for any value", () => {
			const kind = fc.oneof(
				fc.anything(),
				fc.constantFrom("SendAsync", "SendToManyAsync", "AddToGroupAsync"),
			);
			const near = fc.tuple(
				kind,
				fc.anything(),
				fc.oneof(fc.anything(), fc.record({ [RECIPIENT_KEY]: fc.json() })),
			);
			fc.assert(
				fc.property(fc.oneof(fc.anything(), near), (argument) => {
					try {
						parseLinkResponse(argument);
					} catch (thrown) {
						refusesLink(thrown);
					}
				}),
			);
		});
	});

	describe("Invoke", () => {
		for (const recorded of vectors.invokes) {
			it(`reads and writes the recorded ${recorded[0]}`, () => {
				const call = parseInvokeArguments(recorded);
				const text = recorded[2].$fwdConnContext;
				assert.ok(call.context);
				assert.deepEqual(writeInvokeArguments(call.method, call.args, text), recorded);
				assert.deepEqual(parseForwardedContext(writeForwardedContext(call.context)), call.context);
				// .NET writes + as \u002B; apart from that the texts are the same, the order of members included.
				assert.equal(writeForwardedContext(call.context), text.replaceAll("\\u002B", "+"));
			});
		}

		it("reads calls without a context, with null for arguments and with other metadata", () => {
			assert.deepEqual(parseInvokeArguments(["A", [1]]), {
				method: "A",
				args: [1],
				context: undefined,
				metadata: null,
			});
			assert.deepEqual(parseInvokeArguments(["A", null, null]).args, []);
			assert.deepEqual(parseInvokeArguments(["A", [], { HubId: "h" }]).metadata, { HubId: "h" });
		});

		const refused: [string, unknown[]][] = [
			["no arguments", []],
			["a method only", ["A"]],
			["four arguments", ["A", [], null, 1]],
			["a method that is no text", [1, [], null]],
			["arguments that are no array", ["A", {}, null]],
			["metadata that is no object", ["A", [], []]],
			["a context that is no text", ["A", [], { [CONTEXT_KEY]: {} }]],
		];
		for (const [what, args] of refused) {
			it(`refuses ${what}`, () => assert.throws(() => parseInvokeArguments(args), refusesLink));
		}
	});

	describe("contexts", () => {
		it("reads what it wrote", () => {
			fc.assert(
				fc.property(context, (sent) =>
					assert.deepEqual(parseForwardedContext(writeForwardedContext(sent)), sent),
				),
			);
		});

		it("needs nothing but the two ids; members of null are none", () => {
			const least = { hubId: "h", connectionId: "c", headers: {}, items: {} };
			assert.deepEqual(parseForwardedContext(contextWith({})), least);
			const nulls = {
				TimeStamp: null,
				HttpConnection: null,
				HttpRequestHeaders: null,
				Items: null,
				User: null,
			};
			assert.deepEqual(parseForwardedContext(contextWith(nulls)), least);
			assert.deepEqual(parseForwardedContext(contextWith({ More: 1 })), least);
		});

		it("reads a text of the longest length, and no longer one", () => {
			const fill = MAX_CONTEXT_LENGTH - contextWith({ TimeStamp: "" }).length;
			assert.ok(parseForwardedContext(contextWith({ TimeStamp: "x".repeat(fill) })));
			assert.throws(
				() => parseForwardedContext(contextWith({ TimeStamp: "x".repeat(fill + 1) })),
				refusesLink,
			);
		});

		const refused: [string, unknown][] = [
			["no text", 1],
			["text that is not JSON", "{"],
			["an array", "[]"],
			["no hub id", JSON.stringify({ ConnectionId: "c" })],
			["no connection id", JSON.stringify({ HubId: "h" })],
			["an id that is no text", contextWith({ ConnectionId: 1 })],
			["an id that is too long", contextWith({ HubId: "h".repeat(MAX_ID_LENGTH + 1) })],
			["a time that is no text", contextWith({ TimeStamp: 1 })],
			["an HTTP connection that is no object", contextWith({ HttpConnection: "x" })],
			["an address that is no text", contextWith({ HttpConnection: { RemoteIpAddressString: 1 } })],
			[
				"an address that is too long",
				contextWith({ HttpConnection: { LocalIpAddressString: "1".repeat(129) } }),
			],
			["a port that is text", contextWith({ HttpConnection: { RemotePort: "1" } })],
			["a port that is too large", contextWith({ HttpConnection: { LocalPort: 65_536 } })],
			["headers that are no object", contextWith({ HttpRequestHeaders: { AllHeaders: [] } })],
			["a header that is no array", contextWith({ HttpRequestHeaders: { AllHeaders: { Host: "a" } } })],
			[
				"a header of something else than texts",
				contextWith({ HttpRequestHeaders: { AllHeaders: { Host: [1] } } }),
			],
			["a user agent that is no text", contextWith({ HttpRequestHeaders: { UserAgent: [] } })],
			["items that are no object", contextWith({ Items: [] })],
			["a user that is no object", contextWith({ User: "u" })],
			["claims that are no object", contextWith({ User: { Claims: [] } })],
			[
				"nesting that is too deep",
				contextWith({}).replace("}", `,"Items":${'{"a":'.repeat(100)}1${"}".repeat(101)}`),
			],
		];
		for (const [what, text] of refused) {
			it(`refuses ${what}`, () => assert.throws(() => parseForwardedContext(text), refusesLink));
		}

		it("quotes nothing of a text that is not JSON: it holds cookies", () => {
			assert.throws(
				() => parseForwardedContext('{"HubId":"h","Cookie": hunter2}'),
				(error: Error) => !inspect(error, { depth: 9 }).includes("hunter"),
			);
		});

		it("leaves prototypes alone", () => {
			const headers = '{"__proto__":["polluted"]}';
			const text = `{"HubId":"h","ConnectionId":"c","HttpRequestHeaders":{"AllHeaders":${headers}}}`;
			const read = parseForwardedContext(text);
			assert.equal(Object.getPrototypeOf(read.headers), Object.prototype);
			assert.deepEqual(Object.keys(read.headers), ["__proto__"]);
		});
	});
});
