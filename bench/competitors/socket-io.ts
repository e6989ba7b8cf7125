// Socket.IO as a server under test, with the methods of the benchmark's hub; a process like `subject/main.ts`.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Server, type Socket } from "socket.io";
import { answerRequests } from "../subject/requests.js";

const HOST = "127.0.0.1";
const GROUP = "everybody";
/** Long enough that no ping comes during a measurement: every message that the load counts is an answer. */
const PING_INTERVAL_MS = 600_000;
const LISTEN_BACKLOG = 4096;

type Acknowledge = (result: unknown) => void;

const http = createServer();
const server = new Server(http, {
	transports: ["websocket"],
	serveClient: false,
	pingInterval: PING_INTERVAL_MS,
});

// No array inside of an event: the load counts the bracket that ends it.
server.on("connection", (socket: Socket) => {
	socket.on("echo", (text: string, acknowledge: Acknowledge) => acknowledge(text));
	socket.on("join", async (acknowledge: Acknowledge) => {
		await socket.join(GROUP);
		acknowledge(null);
	});
	socket.on("toAll", (text: string) => server.emit("Response_VM", "Board", text));
	socket.on("toGroup", (text: string) => server.to(GROUP).emit("Response_VM", "Board", text));
});

answerRequests();
http.listen({ host: HOST, port: 0, backlog: LISTEN_BACKLOG }, () =>
	process.send?.({ result: (http.address() as AddressInfo).port }),
);
