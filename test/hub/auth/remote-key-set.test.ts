import assert from "node:assert/strict";
import { type ErrorCode, type JwtOptions, jwtAuthentication, ManualClock } from "../../../lib/index.js";
import { AUDIENCE, bearer, ISSUER, Issuer, type IssuerKey, issuerKey, NOW, tokenOf } from "./tokens.js";

const REFUSED = { code: "ERR_AUTHENTICATION" satisfies ErrorCode };
const UNAVAILABLE = { code: "ERR_AUTHENTICATION_UNAVAILABLE" satisfies ErrorCode };

describe("hub/auth/remote-key-set", () => {
	let issuer: Issuer;
	let clock: ManualClock;
	let first: IssuerKey;
	let second: IssuerKey;

	before(async () => {
		first = await issuerKey("first");
		second = await issuerKey("second");
	});

	beforeEach(async () => {
		issuer = await Issuer.start();
		issuer.keys = [first.publicJwk];
		clock = new ManualClock(NOW);
	});

	afterEach(() => issuer.close());

	function authentication(options: Partial<JwtOptions> = {}): (token: string) => Promise<string | undefined> {
		const strict = { jwksUrl: issuer.url, issuer: ISSUER, audience: AUDIENCE, clock };
		const authenticate = jwtAuthentication({ ...strict, ...options });
		return async (token) => (await authenticate(bearer(token)))?.id;
	}

	const signed = ({ privateKey }: IssuerKey, kid: string | undefined): Promise<string> =>
		tokenOf({ alg: "ES256", key: privateKey, ...(kid !== undefined && { kid }) });

	it("fetches the keys once, however many tokens come", async () => {
		const idOf = authentication();
		assert.equal(issuer.requests, 0);
		const token = await signed(first, "first");
		const ids = await Promise.all(Array.from({ length: 10 }, () => idOf(token)));
		assert.deepEqual(ids, Array(10).fill("ada"));
		assert.equal(issuer.requests, 1);
	});

	it("finds a key that the issuer has newly, and refuses the old one when it is gone", async () => {
		const idOf = authentication();
		const [old, young] = [await signed(first, "first"), await signed(second, "second")];
		assert.equal(await idOf(old), "ada");
		issuer.keys = [first.publicJwk, second.publicJwk];
		clock.advance(30_000);
		assert.equal(await idOf(young), "ada");
		assert.equal(await idOf(old), "ada");
		assert.equal(issuer.requests, 2);
		issuer.keys = [second.publicJwk];
		clock.advance(600_000);
		assert.equal(await idOf(young), "ada");
		await assert.rejects(idOf(old), REFUSED);
		assert.equal(issuer.requests, 3);
	});

	it("does not let tokens with keys made up set the pace of fetching", async () => {
		const idOf = authentication();
		const madeUp = async (nth: number): Promise<void> =>
			assert.rejects(idOf(await signed(second, `made-up-${nth}`)), REFUSED);
		for (let nth = 0; nth < 10; nth++) await madeUp(nth);
		assert.equal(issuer.requests, 1);
		clock.advance(30_000);
		await Promise.all(Array.from({ length: 10 }, (_, nth) => madeUp(nth)));
		assert.equal(issuer.requests, 2);
	});

	it("tries each key where the token names none", async () => {
		issuer.keys = [first.publicJwk, second.publicJwk];
		const idOf = authentication();
		assert.equal(await idOf(await signed(second, undefined)), "ada");
		assert.equal(await idOf(await signed(first, undefined)), "ada");
		await assert.rejects(idOf(await signed(await issuerKey(undefined), undefined)), REFUSED);
	});

	it("says that keys cannot be fetched, and tries again after a second", async () => {
		const broken = [
			{ status: 500, body: "" },
			{ status: 200, body: "<html>" },
			{ status: 200, body: '{"nokeys":1}' },
			{ status: 200, body: `{"keys":[],"padding":"${"x".repeat(1_048_576)}"}` },
		];
		const idOf = authentication();
		const token = await signed(first, "first");
		for (const [nth, answer] of broken.entries()) {
			issuer.broken = answer;
			await assert.rejects(idOf(token), UNAVAILABLE);
			await assert.rejects(idOf(token), UNAVAILABLE);
			assert.equal(issuer.requests, nth + 1);
			clock.advance(1_000);
		}
		issuer.broken = undefined;
		assert.equal(await idOf(token), "ada");
	});

	it("follows no redirection", async () => {
		const idOf = authentication();
		issuer.broken = { status: 302, body: "" };
		await assert.rejects(idOf(await signed(first, "first")), UNAVAILABLE);
		assert.equal(issuer.requests, 1);
	});

	it("goes on with the keys it has for an hour when the issuer is away", async () => {
		const idOf = authentication();
		const token = await tokenOf({
			alg: "ES256",
			key: first.privateKey,
			kid: "first",
			claims: { exp: NOW / 1_000 + 100_000 },
		});
		assert.equal(await idOf(token), "ada");
		issuer.broken = { status: 503, body: "" };
		clock.advance(600_000);
		assert.equal(await idOf(token), "ada");
		assert.equal(issuer.requests, 2);
		clock.advance(3_600_000);
		await assert.rejects(idOf(token), UNAVAILABLE);
	});

	it("refuses a key set's secret, and its keys for HMAC", async () => {
		issuer.keys = [{ kty: "oct", k: Buffer.from("x".repeat(32)).toString("base64url"), alg: "HS256" }];
		const idOf = authentication();
		const token = await tokenOf({ key: new TextEncoder().encode("x".repeat(32)) });
		await assert.rejects(idOf(token), REFUSED);
	});
});
