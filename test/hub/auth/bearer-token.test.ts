import assert from "node:assert/strict";
import { bearerToken } from "../../../lib/index.js";
import { requestWith } from "./tokens.js";

const UPGRADE = { upgrade: "websocket", connection: "Upgrade" };
const STREAM = { accept: "text/event-stream" };

describe("hub/auth/bearer-token", () => {
	it("takes the token of the header on any request", () => {
		for (const method of ["GET", "POST", "DELETE"]) {
			assert.equal(bearerToken(requestWith({ authorization: "Bearer a.b.c" }, "/chat", method)), "a.b.c");
		}
	});

	it("takes the scheme in any case, and spaces around the token", () => {
		for (const authorization of ["bearer t", "BEARER t", "Bearer   t  ", "  Bearer t"]) {
			assert.equal(bearerToken(requestWith({ authorization })), "t");
		}
	});

	it("finds nothing in another scheme, or in a scheme alone", () => {
		for (const authorization of ["Basic YTpi", "Bearer", "Bearer ", "Bearert", "", "xBearer t"]) {
			assert.equal(bearerToken(requestWith({ authorization })), undefined);
		}
		assert.equal(bearerToken(requestWith({})), undefined);
	});

	it("gives all that follows the scheme, so that whoever verifies it refuses it", () => {
		assert.equal(bearerToken(requestWith({ authorization: "Bearer a, Bearer b" })), "a, Bearer b");
	});

	it("takes the query of an upgrade and of Server-Sent Events", () => {
		const url = "/chat?id=1&access_token=a.b.c";
		assert.equal(bearerToken(requestWith(UPGRADE, url, "GET")), "a.b.c");
		assert.equal(bearerToken(requestWith({ upgrade: "WebSocket" }, url, "GET")), "a.b.c");
		assert.equal(bearerToken(requestWith(STREAM, url, "GET")), "a.b.c");
		assert.equal(bearerToken(requestWith({ accept: "text/html, text/event-stream" }, url, "GET")), "a.b.c");
	});

	it("compares the name in the query without regard to case", () => {
		for (const name of ["Access_Token", "ACCESS_TOKEN"]) {
			assert.equal(bearerToken(requestWith(UPGRADE, `/chat?${name}=t`, "GET")), "t");
		}
	});

	it("does not look at the query of negotiate, of polls, and of what clients send", () => {
		const url = "/chat?id=1&access_token=a.b.c";
		assert.equal(bearerToken(requestWith({}, "/chat/negotiate?access_token=t", "POST")), undefined);
		assert.equal(bearerToken(requestWith({}, url, "GET")), undefined);
		assert.equal(bearerToken(requestWith({ accept: "*/*" }, url, "GET")), undefined);
		assert.equal(bearerToken(requestWith({}, url, "DELETE")), undefined);
		assert.equal(bearerToken(requestWith({ ...STREAM, ...UPGRADE }, url, "POST")), undefined);
		assert.equal(bearerToken(requestWith({ upgrade: "h2c" }, url, "GET")), undefined);
	});

	it("prefers the header, and passes one over that holds no bearer token", () => {
		const url = "/chat?access_token=query";
		assert.equal(bearerToken(requestWith({ ...UPGRADE, authorization: "Bearer h" }, url, "GET")), "h");
		assert.equal(bearerToken(requestWith({ ...UPGRADE, authorization: "Basic YTpi" }, url, "GET")), "query");
	});

	it("finds no token in an empty parameter", () => {
		assert.equal(bearerToken(requestWith(UPGRADE, "/chat?access_token=", "GET")), undefined);
	});
});
