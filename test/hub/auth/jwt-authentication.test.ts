import assert from "node:assert/strict";
import { createPublicKey, generateKeyPairSync, type JsonWebKey } from "node:crypto";
import { inspect } from "node:util";
import fc from "fast-check";
import { exportSPKI, generateKeyPair } from "jose";
import {
	type ErrorCode,
	type JwtAlgorithm,
	type JwtOptions,
	jwtAuthentication,
	ManualClock,
	TrunklineError,
} from "../../../lib/index.js";
import {
	AUDIENCE,
	bearer,
	bytesOf,
	forged,
	ISSUER,
	issuerKey,
	NOW,
	requestWith,
	SECRET,
	type TokenChanges,
	tokenOf,
} from "./tokens.js";

const clock = new ManualClock(NOW);
const STRICT: JwtOptions = { secret: SECRET, issuer: ISSUER, audience: AUDIENCE, clock };

/** Asserts that `token` is refused for a reason like `why`, and that nothing of it is in the error. */
async function refuses(options: JwtOptions, token: string, why: RegExp): Promise<void> {
	await assert.rejects(jwtAuthentication(options)(bearer(token)), (error: unknown) => {
		assert.ok(error instanceof TrunklineError);
		assert.equal(error.code, "ERR_AUTHENTICATION" satisfies ErrorCode);
		assert.match(error.message, why);
		assertHides(error, token);
		return true;
	});
}

function assertHides(error: unknown, token: string): void {
	const shown = inspect(error, { depth: Number.POSITIVE_INFINITY, showHidden: true });
	for (const part of token.split(".")) assert.ok(part.length < 8 || !shown.includes(part), shown);
}

function refusesOptions(options: JwtOptions, why: RegExp): void {
	assert.throws(
		() => jwtAuthentication(options),
		(error: unknown) => {
			assert.ok(error instanceof TrunklineError);
			assert.equal(error.code, "ERR_OPTION" satisfies ErrorCode);
			assert.match(error.message, why);
			return true;
		},
	);
}

describe("hub/auth/jwt-authentication", () => {
	it("gives the user of a good token: id, claims, and when it ends", async () => {
		const claims = { iss: ISSUER, aud: AUDIENCE, iat: NOW / 1_000, exp: NOW / 1_000 + 3_600 };
		const user = await jwtAuthentication(STRICT)(bearer(await tokenOf({ claims: { roles: ["admin"] } })));
		assert.deepEqual(user, {
			id: "ada",
			claims: { sub: "ada", ...claims, roles: ["admin"] },
			expiresAt: NOW + 3_600_000 + 5_000,
		});
	});

	it("takes a secret as bytes, and the second of two", async () => {
		const other = "another shared secret of more than 32 bytes";
		for (const secret of [bytesOf(SECRET), [other, SECRET], [SECRET, bytesOf(other)]]) {
			const user = await jwtAuthentication({ ...STRICT, secret })(bearer(await tokenOf()));
			assert.equal(user?.id, "ada");
		}
	});

	it("takes all algorithms that fit a secret", async () => {
		for (const alg of ["HS256", "HS384", "HS512"]) {
			assert.equal((await jwtAuthentication(STRICT)(bearer(await tokenOf({ alg }))))?.id, "ada");
		}
	});

	const publicAlgorithms: JwtAlgorithm[] = [
		...(["RS256", "PS384", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"] as const),
	];
	for (const alg of publicAlgorithms) {
		it(`takes ${alg} with a public key as PEM, as JWK and as KeyObject`, async () => {
			const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
			const pem = await exportSPKI(publicKey);
			const keyObject = createPublicKey(pem);
			const jwk: JsonWebKey = keyObject.export({ format: "jwk" });
			const token = await tokenOf({ alg, key: privateKey });
			for (const key of [pem, jwk, keyObject]) {
				const authenticate = jwtAuthentication({ publicKey: key, issuer: ISSUER, clock });
				assert.equal((await authenticate(bearer(token)))?.id, "ada");
			}
		});
	}

	it("takes the second of two public keys, also of one kind", async () => {
		const [old, young] = [await issuerKey(undefined), await issuerKey(undefined)];
		const publicKey = [old.publicJwk, young.publicJwk] as JsonWebKey[];
		const authenticate = jwtAuthentication({ publicKey, clock });
		for (const { privateKey } of [old, young]) {
			const user = await authenticate(bearer(await tokenOf({ alg: "ES256", key: privateKey })));
			assert.equal(user?.id, "ada");
		}
	});

	describe("refuses", () => {
		const cases: readonly [string, TokenChanges, RegExp][] = [
			["an expired token", { claims: { exp: NOW / 1_000 - 6 } }, /has expired/],
			["one that holds later", { claims: { nbf: NOW / 1_000 + 6 } }, /"nbf"/],
			["one without an end", { claims: { exp: undefined } }, /"exp".*missing/],
			["another issuer's", { claims: { iss: "https://else.test" } }, /"iss"/],
			["one without an issuer", { claims: { iss: undefined } }, /"iss".*missing/],
			["one for somebody else", { claims: { aud: "mail" } }, /"aud"/],
			["one for nobody", { claims: { aud: undefined } }, /"aud".*missing/],
			["another secret's", { key: bytesOf("x".repeat(40)) }, /signature/],
		];
		for (const [name, changes, why] of cases) {
			it(name, async () => refuses(STRICT, await tokenOf(changes), why));
		}

		it("one without a signature, whatever its header says", async () => {
			const [, claims = ""] = (await tokenOf()).split(".");
			const body = JSON.parse(Buffer.from(claims, "base64url").toString()) as object;
			for (const alg of ["none", "None", "NONE", "", undefined, null, 0, ["HS256"], "hs256"]) {
				for (const signature of ["", "AAAA"]) await refuses(STRICT, forged({ alg }, body, signature), /./);
			}
			await refuses(STRICT, forged({ alg: "HS256" }, body), /./);
		});

		it("an algorithm that fits the key but is not accepted", async () => {
			await refuses({ ...STRICT, algorithms: ["HS512"] }, await tokenOf(), /algorithm/);
		});

		it("a token that was signed with the public key as if it were a secret", async () => {
			const { publicKey } = await generateKeyPair("RS256", { extractable: true });
			const pem = await exportSPKI(publicKey);
			const der = createPublicKey(pem).export({ type: "spki", format: "der" });
			for (const key of [bytesOf(pem), bytesOf(pem.trim()), der]) {
				await refuses({ publicKey: pem, clock }, await tokenOf({ key }), /algorithm/);
			}
		});

		it("a token that brings its own key along", async () => {
			const { privateKey, publicJwk } = await issuerKey("evil");
			const trusted = await issuerKey("good");
			const { SignJWT } = await import("jose");
			const token = await new SignJWT({ sub: "ada", exp: NOW / 1_000 + 60 })
				.setProtectedHeader({ alg: "ES256", jwk: publicJwk, jku: "http://127.0.0.1:1/", kid: "good" })
				.sign(privateKey);
			await refuses({ publicKey: trusted.publicJwk as JsonWebKey, clock }, token, /signature/);
		});

		it("a changed token", async () => {
			const [header, , signature] = (await tokenOf()).split(".");
			const claims = Buffer.from(JSON.stringify({ sub: "root" })).toString("base64url");
			await refuses(STRICT, `${header}.${claims}.${signature}`, /signature/);
		});

		it("a token of another type where one is asked for", async () => {
			const options = { ...STRICT, type: "at+jwt" };
			assert.equal((await jwtAuthentication(options)(bearer(await tokenOf({ typ: "at+jwt" }))))?.id, "ada");
			await refuses(options, await tokenOf({ typ: "JWT" }), /"typ"/);
			await refuses(options, await tokenOf(), /"typ"/);
		});

		it("a token longer than maxTokenBytes, unread", async () => {
			const token = await tokenOf();
			const maxTokenBytes = token.length;
			assert.equal((await jwtAuthentication({ ...STRICT, maxTokenBytes })(bearer(token)))?.id, "ada");
			await refuses({ ...STRICT, maxTokenBytes: maxTokenBytes - 1 }, token, /maxTokenBytes/);
			await refuses(STRICT, "x".repeat(8_193), /maxTokenBytes/);
		});

		it("whatever is no token", async () => {
			const authenticate = jwtAuthentication(STRICT);
			const parts = fc.array(fc.oneof(fc.base64String(), fc.string()), { maxLength: 5 });
			const property = fc.asyncProperty(parts, async (some) => {
				const token = `x${some.join(".")}x`;
				await assert.rejects(authenticate(bearer(token)), { code: "ERR_AUTHENTICATION" });
			});
			await fc.assert(property, { numRuns: 200 });
		});

		it("a good token with any one character changed", async () => {
			const authenticate = jwtAuthentication(STRICT);
			const token = await tokenOf();
			const property = fc.asyncProperty(fc.nat(token.length - 2), fc.base64String(), async (at, text) => {
				const other = text.replaceAll(/[^A-Za-z0-9]/g, "")[0] ?? "A";
				fc.pre(token[at] !== other && token[at] !== ".");
				const changed = `${token.slice(0, at)}${other}${token.slice(at + 1)}`;
				await assert.rejects(authenticate(bearer(changed)), { code: "ERR_AUTHENTICATION" });
			});
			await fc.assert(property, { numRuns: 200 });
		});
	});

	it("bears clocks that differ by clockToleranceMs, and says so in expiresAt", async () => {
		const late = await tokenOf({ claims: { exp: NOW / 1_000 - 4 } });
		const user = await jwtAuthentication(STRICT)(bearer(late));
		assert.equal(user?.expiresAt, NOW + 1_000);
		await refuses({ ...STRICT, clockToleranceMs: 0 }, late, /expired/);
		const wide = { ...STRICT, clockToleranceMs: 60_000 };
		assert.equal(
			(await jwtAuthentication(wide)(bearer(await tokenOf({ claims: { exp: NOW / 1_000 - 59 } }))))?.id,
			"ada",
		);
	});

	it("goes by the clock that it was given", async () => {
		const moving = new ManualClock(NOW);
		const authenticate = jwtAuthentication({ ...STRICT, clock: moving });
		const token = await tokenOf();
		assert.equal((await authenticate(bearer(token)))?.expiresAt, NOW + 3_605_000);
		moving.advance(3_604_999);
		assert.equal((await authenticate(bearer(token)))?.id, "ada");
		moving.advance(1);
		await assert.rejects(authenticate(bearer(token)), { code: "ERR_AUTHENTICATION" });
	});

	it("takes tokens without an end where none is asked for", async () => {
		const user = await jwtAuthentication({ ...STRICT, requiredClaims: [] })(
			bearer(await tokenOf({ claims: { exp: undefined } })),
		);
		assert.equal(user?.id, "ada");
		assert.equal(user?.expiresAt, undefined);
	});

	it("accepts any of several issuers and audiences", async () => {
		const options = { ...STRICT, issuer: ["https://a.test", ISSUER], audience: [AUDIENCE, "b"] };
		assert.equal((await jwtAuthentication(options)(bearer(await tokenOf())))?.id, "ada");
		await refuses(options, await tokenOf({ claims: { iss: "https://c.test" } }), /"iss"/);
	});

	it("takes the id from the claim or the function that was named", async () => {
		const token = await tokenOf({ claims: { sub: undefined, uid: 42, email: "ada@x.test", flag: true } });
		const idBy = async (userId: JwtOptions["userId"]) =>
			(await jwtAuthentication({ ...STRICT, userId })(bearer(token)))?.id;
		assert.equal(await idBy("email"), "ada@x.test");
		assert.equal(await idBy("uid"), "42");
		assert.equal(await idBy(undefined), undefined);
		assert.equal(await idBy("toString"), undefined);
		assert.equal(await idBy((claims) => `user-${claims["uid"]}`), "user-42");
		await refuses({ ...STRICT, userId: "flag" }, token, /user id/);
	});

	it("refuses a request without a token, or has it anonymous where that is allowed", async () => {
		const nothing = requestWith({});
		await assert.rejects(jwtAuthentication(STRICT)(nothing), { code: "ERR_AUTHENTICATION" });
		const lenient = { ...STRICT, required: false };
		assert.equal(await jwtAuthentication(lenient)(nothing), undefined);
		await refuses(lenient, "not.a.token", /./);
	});

	it("lets mapUser make the user, or refuse it", async () => {
		const mapUser: JwtOptions["mapUser"] = async (user, { ip }) =>
			user.id === "ada" ? { ...user, claims: { ...user.claims, ip } } : undefined;
		const authenticate = jwtAuthentication({ ...STRICT, mapUser });
		const user = await authenticate(bearer(await tokenOf()));
		assert.equal(user?.claims?.["ip"], "127.0.0.1");
		await refuses({ ...STRICT, mapUser }, await tokenOf({ claims: { sub: "eve" } }), /mapUser/);
		const thrown = new Error("no such user");
		const failing = jwtAuthentication({ ...STRICT, mapUser: () => Promise.reject(thrown) });
		await assert.rejects(failing(bearer(await tokenOf())), thrown);
	});

	describe("options", () => {
		const { publicKey: rsa, privateKey: rsaPrivate } = generateKeyPairSync("rsa", {
			modulusLength: 2_048,
			publicKeyEncoding: { type: "spki", format: "pem" },
			privateKeyEncoding: { type: "pkcs8", format: "pem" },
		});
		const small = generateKeyPairSync("rsa", { modulusLength: 1_024 }).publicKey;
		const odd = generateKeyPairSync("ec", { namedCurve: "secp256k1" }).publicKey;
		const ed448 = generateKeyPairSync("ed448").publicKey;
		const jwksUrl = "https://issuer.test/keys";
		const both = { issuer: ISSUER, audience: AUDIENCE };
		const cases: readonly [string, JwtOptions, RegExp][] = [
			["no key", {}, /exactly one/],
			["two kinds of key", { secret: SECRET, publicKey: rsa }, /exactly one/],
			["a short secret", { secret: "x".repeat(31) }, /32 bytes; found 31/],
			["an empty list", { secret: [] }, /empty list/],
			["a PEM key as a secret", { secret: rsa }, /"publicKey"/],
			["a secret of another type", { secret: 5 as unknown as string }, /text or bytes/],
			["a secret as a public key", { publicKey: { kty: "oct", k: "c2VjcmV0" } }, /can sign/],
			["a private key", { publicKey: rsaPrivate }, /can sign/],
			["no PEM", { publicKey: "hello" }, /PEM/],
			["a small RSA key", { publicKey: small }, /2048 bits/],
			["a curve without an algorithm", { publicKey: odd }, /P-256/],
			["a key type without an algorithm", { publicKey: ed448 }, /Ed25519; found ed448/],
			["HMAC beside a public key", { publicKey: rsa, algorithms: ["HS256"] }, /found "HS256"/],
			["HMAC beside a key set", { jwksUrl, ...both, algorithms: ["HS256"] }, /found "HS256"/],
			["RSA beside a secret", { secret: SECRET, algorithms: ["RS256"] }, /found "RS256"/],
			["ES256 beside RSA", { publicKey: rsa, algorithms: ["ES256"] }, /found "ES256"/],
			["none", { secret: SECRET, algorithms: ["none" as JwtAlgorithm] }, /found "none"/],
			["no algorithm", { secret: SECRET, algorithms: [] }, /at least one/],
			["a key set without audience", { jwksUrl, issuer: ISSUER }, /"audience" must be given/],
			["a key set without issuer", { jwksUrl, audience: AUDIENCE }, /"issuer" must be given/],
			["an empty issuer", { secret: SECRET, issuer: "" }, /"issuer"/],
			["an empty audience list", { secret: SECRET, audience: [] }, /"audience"/],
			["a key set over plain HTTP", { jwksUrl: "http://issuer.test/keys", ...both }, /https/],
			["a key set with a password", { jwksUrl: "https://a:b@issuer.test/", ...both }, /password/],
			["a key set at no url", { jwksUrl: "/keys", ...both }, /absolute/],
			["no room for a token", { secret: SECRET, maxTokenBytes: 0 }, /maxTokenBytes/],
			["a misspelt audience", { secret: SECRET, audiance: "x" } as JwtOptions, /did you mean "audience"/],
			["a text for a switch", { secret: SECRET, required: "false" as never }, /"required" must be true/],
			["a mapUser that is none", { secret: SECRET, mapUser: {} as never }, /"mapUser" must be a function/],
			["a negative tolerance", { secret: SECRET, clockToleranceMs: -1 }, /clockToleranceMs/],
		];
		for (const [name, options, why] of cases) {
			it(`refuse ${name}`, () => refusesOptions(options, why));
		}

		it("never show a key in the error", () => {
			const secret = "too short a secret";
			assert.throws(
				() => jwtAuthentication({ secret }),
				(error) => !inspect(error).includes(secret),
			);
			assert.throws(
				() => jwtAuthentication({ publicKey: rsaPrivate }),
				(error) => !inspect(error).includes(rsaPrivate.slice(40, 80)),
			);
		});

		it("let null say that any issuer and audience will do", () => {
			assert.ok(jwtAuthentication({ jwksUrl, issuer: null, audience: null }));
		});

		it("hold the algorithm of a JWK to what it names", async () => {
			const { privateKey, publicJwk } = await issuerKey(undefined, "RS256");
			const options = { publicKey: publicJwk as JsonWebKey, clock };
			const token = await tokenOf({ alg: "RS256", key: privateKey });
			assert.equal((await jwtAuthentication(options)(bearer(token)))?.id, "ada");
			refusesOptions({ ...options, algorithms: ["PS256"] }, /found "PS256"/);
			refusesOptions({ publicKey: { ...publicJwk, alg: "ES256" } as JsonWebKey }, /"alg"/);
		});
	});
});
