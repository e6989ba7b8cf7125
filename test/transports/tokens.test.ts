import assert from "node:assert/strict";
import fc from "fast-check";
import { ManualClock } from "../../lib/base/index.js";
import {
	type ConnectionTokens,
	createTokens,
	TOKEN_SKEW_MS,
	type TokenKind,
	type TokenOptions,
} from "../../lib/transports/index.js";

const SECRET = "a secret for tests";
const START = Date.UTC(2026, 0, 1);

function tokens(options: Partial<TokenOptions> = {}, clock = new ManualClock(START)): ConnectionTokens {
	return createTokens({ serverId: "s1", secrets: [SECRET], clock, ...options });
}

describe("transports/tokens", () => {
	it("makes tokens of four parts, the server's name first", () => {
		const { token, connectionId } = tokens().issue(undefined, 1);
		assert.match(token, /^s1\.[0-9a-z]+\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}$/);
		assert.match(connectionId, /^[A-Za-z0-9_-]{22}$/);
		assert(!token.includes(connectionId));
	});

	it("lets every process with the secret read the id that was issued", () => {
		const issued = tokens().issue("ann", 1);
		const other = tokens({ serverId: "s2" }).read(issued.token, "ann");
		assert.deepEqual(other, {
			connectionId: issued.connectionId,
			isExpired: false,
			isReconnectable: false,
		});
	});

	it("reads what it issued, for any user and server name", () => {
		const serverId = fc.stringMatching(/^[A-Za-z0-9_-]{1,32}$/);
		fc.assert(
			fc.property(
				serverId,
				fc.option(fc.string(), { nil: undefined }),
				fc.constantFrom<TokenKind>(0, 1, "reconnect"),
				(name, user, kind) => {
					const own = tokens({ serverId: name });
					const issued = own.issue(user, kind);
					assert.deepEqual(own.read(issued.token, user), {
						connectionId: issued.connectionId,
						isExpired: false,
						isReconnectable: kind === "reconnect",
					});
					assert(own.idsOf(issued.token).includes(issued.connectionId));
				},
			),
		);
	});

	it("refuses a token with any character changed", () => {
		const own = tokens();
		const { token } = own.issue("ann", 1);
		fc.assert(
			fc.property(fc.nat(token.length - 1), fc.string({ minLength: 1, maxLength: 1 }), (at, character) => {
				fc.pre(token[at] !== character);
				return own.read(token.slice(0, at) + character + token.slice(at + 1), "ann") === undefined;
			}),
			{ numRuns: 1_000 },
		);
	});

	it("refuses a token cut short or added to", () => {
		const own = tokens();
		const { token, connectionId } = own.issue(undefined, 1);
		for (let end = 0; end < token.length; end++)
			assert.equal(own.read(token.slice(0, end), undefined), undefined);
		assert.equal(own.read(`${token}A`, undefined), undefined);
		assert.equal(own.read(connectionId, undefined), undefined);
	});

	it("refuses any text without throwing", () => {
		const own = tokens();
		fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => own.read(text, undefined) === undefined));
	});

	it("refuses the token of another user, and tells nobody from a user without a name", () => {
		const own = tokens();
		for (const issuedTo of ["ann", "", undefined]) {
			const { token } = own.issue(issuedTo, 1);
			for (const user of ["ann", "bob", "", undefined]) {
				assert.equal(own.read(token, user) !== undefined, user === issuedTo);
			}
		}
	});

	it("refuses a token that was signed with another secret", () => {
		const { token } = tokens({ secrets: ["another secret for tests"] }).issue(undefined, 1);
		assert.equal(tokens().read(token, undefined), undefined);
	});

	it("signs with a random secret where none is given", () => {
		const clock = new ManualClock(START);
		const { token } = createTokens({ serverId: "s1", clock }).issue(undefined, 1);
		assert.equal(createTokens({ serverId: "s1", clock }).read(token, undefined), undefined);
	});

	it("rotates: old and new processes read each other's tokens while both secrets are listed", () => {
		const [first, second] = ["the old secret of all", "the new secret of all"];
		const before = tokens({ secrets: [first] });
		const during = tokens({ secrets: [second, first] });
		const ready = tokens({ secrets: [first, second] });
		const after = tokens({ secrets: [second] });
		const old = before.issue(undefined, 1);
		assert.equal(during.read(old.token, undefined)?.connectionId, old.connectionId);
		assert.equal(after.read(old.token, undefined), undefined);
		const fresh = during.issue(undefined, 1);
		assert.equal(ready.read(fresh.token, undefined)?.connectionId, fresh.connectionId);
		assert.equal(after.read(fresh.token, undefined)?.connectionId, fresh.connectionId);
		assert.equal(before.read(fresh.token, undefined), undefined);
	});

	it("expires after 15 s", () => {
		const clock = new ManualClock(START);
		const own = tokens({}, clock);
		const { token } = own.issue(undefined, 1);
		clock.advance(15_000);
		assert.equal(own.read(token, undefined)?.isExpired, false);
		clock.advance(1);
		assert.equal(own.read(token, undefined)?.isExpired, true);
	});

	it("tolerates a clock that runs a little ahead, and no more", () => {
		const { token } = tokens({}, new ManualClock(START + TOKEN_SKEW_MS)).issue(undefined, 1);
		assert.equal(tokens({}, new ManualClock(START)).read(token, undefined)?.isExpired, false);
		assert.equal(tokens({}, new ManualClock(START - 1)).read(token, undefined), undefined);
	});

	it("uses a token once, and forgets it when it could not be used anyhow", () => {
		const clock = new ManualClock(START);
		const own = tokens({}, clock);
		const { token, connectionId } = own.issue(undefined, 1);
		assert.equal(own.use(connectionId), true);
		assert.equal(own.use(connectionId), false);
		clock.advance(15_000 + TOKEN_SKEW_MS);
		assert.equal(own.use(connectionId), false);
		clock.advance(1);
		own.use("another");
		assert.equal(own.used, 1);
		assert.equal(own.read(token, undefined)?.isExpired, true);
	});

	it("refuses more tokens than it may remember, and recovers when they expire", () => {
		const clock = new ManualClock(START);
		const own = tokens({ maxUsed: 3 }, clock);
		for (const id of ["a", "b", "c"]) assert.equal(own.use(id), true);
		assert.throws(() => own.use("d"), { code: "ERR_LIMIT", message: /maxUsedTokens/ });
		assert.equal(own.used, 3);
		clock.advance(20_001);
		assert.equal(own.use("d"), true);
	});

	it("forgets tokens that were used before the system's clock was set back", () => {
		const clock = new ManualClock(START);
		let setBackMs = 0;
		const own = createTokens({
			serverId: "s1",
			maxUsed: 3,
			clock: {
				now: () => clock.now() - setBackMs,
				elapsed: () => clock.elapsed(),
				schedule: clock.schedule.bind(clock),
			},
		});
		own.use("before");
		setBackMs = 3_600_000;
		for (let at = 0; at < 10; at++) {
			clock.advance(10_001);
			assert.equal(own.use(`after ${at}`), true);
			assert(own.used <= 3);
		}
	});

	it("gives version 0 one value that is key and id, and that version 1 does not accept as its own", () => {
		const own = tokens();
		const { token, connectionId } = own.issue("ann", 0);
		assert.equal(token, connectionId);
		assert.equal(own.read(token, "ann")?.connectionId, token);
	});

	it("refuses the version 0 value of another server, which everybody may know: it would open the connection again", () => {
		const { token } = tokens({ serverId: "s1" }).issue("ann", 0);
		for (const serverId of ["s2", "s", "s11"])
			assert.equal(tokens({ serverId }).read(token, "ann"), undefined, serverId);
		const restarted = tokens({ serverId: "s1" });
		assert.equal(restarted.read(token, "ann")?.connectionId, token);
	});

	it("refuses server names and secrets that make no sense, without showing a secret", () => {
		for (const serverId of ["", "a.b", "a b", "x".repeat(33), "é"]) {
			assert.throws(() => tokens({ serverId }), { code: "ERR_OPTION", message: /"serverId"/ });
		}
		for (const secrets of [[], SECRET, {}, null] as unknown as string[][]) {
			assert.throws(() => tokens({ secrets }), {
				code: "ERR_OPTION",
				message: /must be a list of at least one/,
			});
		}
		assert.throws(() => tokens({ secrets: [SECRET, "hush"] }), {
			code: "ERR_OPTION",
			message:
				'Each entry of option "tokenSecrets" must be a text of at least 16 characters; found one of 4.',
		});
		assert.throws(() => tokens({ secrets: [undefined as unknown as string] }), {
			code: "ERR_OPTION",
			message: /found undefined/,
		});
		assert.ok(tokens({ secrets: ["x".repeat(16)] }));
	});
});
