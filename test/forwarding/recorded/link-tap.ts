import type { AddressInfo } from "node:net";
import { WebSocket, WebSocketServer } from "ws";
import { LINK_HEADER } from "../../../lib/forwarding/index.js";
import type { Watch } from "../support/watch.js";
import type { Written } from "./recording.js";

/** Stands between a proxy and its app server, and writes down what both say behind the handshake. */
export class LinkTap {
	readonly written: Written[] = [];
	readonly #server: WebSocketServer;
	readonly #watch: Watch;
	readonly #target: string;

	private constructor(server: WebSocketServer, target: string, watch: Watch) {
		this.#server = server;
		this.#target = target;
		this.#watch = watch;
		server.on("connection", (near, { url, headers }) => {
			const proof = headers[LINK_HEADER];
			this.#join(near, url ?? "/", proof === undefined ? {} : { [LINK_HEADER]: String(proof) });
		});
	}

	static async open(target: string, watch: Watch): Promise<LinkTap> {
		const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: false });
		await new Promise<void>((resolve) => server.on("listening", resolve));
		return new LinkTap(server, target.replace("http", "ws"), watch);
	}

	get url(): string {
		return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
	}

	async close(): Promise<void> {
		for (const socket of this.#server.clients) socket.terminate();
		await new Promise((resolve) => this.#server.close(resolve));
	}

	#join(near: WebSocket, path: string, headers: Record<string, string>): void {
		const far = new WebSocket(this.#target + path, { headers, perMessageDeflate: false });
		const early: [data: Buffer, binary: boolean][] = [];
		far.on("open", () => {
			for (const [data, binary] of early.splice(0)) far.send(data, { binary });
		});
		const pass = (from: Written["from"], to: WebSocket) => {
			let isFirst = true;
			return (data: Buffer, binary: boolean) => {
				// The handshake ends with its record separator; what is behind it is the link's.
				const bytes = isFirst ? data.subarray(data.indexOf(0x1e) + 1) : data;
				isFirst = false;
				if (bytes.length > 0) this.written.push({ from, bytes });
				if (to.readyState === WebSocket.CONNECTING) early.push([data, binary]);
				else to.send(data, { binary });
				this.#watch.changed();
			};
		};
		near.on("message", pass("proxy", far));
		far.on("message", pass("app", near));
		near.on("close", () => far.close());
		far.on("close", () => near.close());
		far.on("error", () => near.terminate());
	}
}
