import { HUB_PATH } from "../report.js";
import { jsonFrame } from "./hub-frames.js";
import { mutatedBytes } from "./mutate-bytes.js";
import type { Random } from "./random.js";

/** Where a token of this run goes, so that a frame is the same in every run. */
export const TOKEN = "{token}";

const METHODS = [
	"GET",
	"GET",
	"POST",
	"POST",
	"DELETE",
	"PUT",
	"OPTIONS",
	"HEAD",
	"PATCH",
	"get",
	"BREW",
] as const;
const PATHS = [
	HUB_PATH,
	HUB_PATH,
	`${HUB_PATH}/negotiate`,
	`${HUB_PATH}/negotiate`,
	`${HUB_PATH}/`,
	`${HUB_PATH}//negotiate`,
	`${HUB_PATH}/%6eegotiate`,
	`${HUB_PATH}/%zz`,
	`${HUB_PATH}/../hub`,
	"/HUB",
	"/",
	"*",
	`http://127.0.0.1${HUB_PATH}`,
	`http://[::1${HUB_PATH}`,
	"//",
] as const;
const QUERIES = [
	`id=${TOKEN}`,
	`id=${TOKEN}`,
	`ID=${TOKEN}`,
	`id=${TOKEN}&id=x`,
	"id=",
	"id=%00",
	"id[]=1",
	"negotiateVersion=1",
	"negotiateVersion=0",
	"negotiateVersion=99",
	"negotiateVersion=1e999",
	"negotiateVersion=one",
	"negotiateVersion=-2147483649",
	"useStatefulReconnect=true",
	"access_token=a.b.c",
	"__proto__[polluted]=1&constructor=1",
	"%E0%A4%A",
	"&&&===",
] as const;
const UPGRADE =
	"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MTIzNDU2Nzg5MDEyMzQ1Ng==";
const HEADERS = [
	"Accept: text/event-stream",
	"Accept: text/event-stream",
	"Accept: text/event-stream;q=0.5, */*",
	"Origin: http://127.0.0.1",
	"Origin: null",
	"Origin: http://evil.example",
	"Access-Control-Request-Method: POST",
	"Access-Control-Request-Headers: x-signalr-user-agent",
	"Authorization: Bearer a.b.c",
	"X-Forwarded-For: 1.2.3.4, ::ffff:5.6.7.8, unknown",
	"X-Forwarded-Proto: https, http",
	'Forwarded: for="[2001:db8::1]:99999";proto=x',
	"Cookie: a=b; c",
	"Content-Type: text/plain;charset=UTF-8",
	"Expect: 100-continue",
	"Connection: close",
	"Transfer-Encoding: chunked",
	"Content-Length: 5",
	"Content-Length: -1",
	"Host: evil.example",
	"Host: [::1",
	"Connection: Upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__",
	"Connection: Upgrade\r\nUpgrade: websocket",
	`${UPGRADE}\r\nSec-WebSocket-Protocol: a, b`,
	`${UPGRADE}\r\nSec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=99`,
	UPGRADE.replace("13", "7"),
	UPGRADE.replace("MTIzNDU2Nzg5MDEyMzQ1Ng==", "x"),
	`X-Long: ${"x".repeat(9_000)}`,
] as const;

function target(random: Random): string {
	const queries = Array.from({ length: random.pick([0, 1, 1, 1, 2, 3]) }, () => random.pick(QUERIES));
	return queries.length === 0 ? random.pick(PATHS) : `${random.pick(PATHS)}?${queries.join("&")}`;
}

/** What is asked is well-formed HTTP, but for its parts. */
function request(random: Random): Buffer {
	const headers = Array.from({ length: random.pick([0, 0, 1, 1, 2, 3]) }, () => random.pick(HEADERS));
	const method = random.pick(METHODS);
	const body = method === "POST" && !random.once(3) ? jsonFrame(random) : Buffer.alloc(0);
	const length = body.length > 0 || method === "POST" ? `Content-Length: ${body.length}\r\n` : "";
	const head = `${method} ${target(random)} HTTP/1.1\r\nHost: 127.0.0.1\r\n${length}${headers.map((line) => `${line}\r\n`).join("")}\r\n`;
	return Buffer.concat([Buffer.from(head, "latin1"), body]);
}

/** A request, mostly of odd parts, sometimes of broken bytes. */
export function httpRequest(random: Random): Buffer {
	const asked = request(random);
	return random.once(4) ? mutatedBytes(asked, request(random), random) : asked;
}
