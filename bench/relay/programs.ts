import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Child } from "../children.js";

/** Relays of other makers, which have to be installed. */
export type BalancerName = "haproxy" | "nginx";

/** Where Debian puts them; the path of those who are not root may lack it. */
const SYSTEM_FOLDER = "/usr/sbin";

interface Ports {
	readonly port: number;
	/** Where the server behind it listens. */
	readonly target: number;
	/** For what it writes. */
	readonly folder: string;
}

const haproxy = ({ port, target }: Ports): string => `global
  nbthread 1
  maxconn 4000
defaults
  mode tcp
  timeout connect 10s
  timeout client 1h
  timeout server 1h
listen relay
  bind 127.0.0.1:${port} backlog 4096
  server echo 127.0.0.1:${target}
`;

/** One process: what else is a worker, under a master that does nothing. */
const nginx = ({ port, target, folder }: Ports): string => `daemon off;
master_process off;
pid ${folder}/nginx.pid;
error_log stderr crit;
events { worker_connections 8192; }
http {
  access_log off;
${["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((name) => `  ${name}_temp_path ${folder}/${name};`).join("\n")}
  server {
    listen 127.0.0.1:${port} backlog=4096;
    location / {
      proxy_pass http://127.0.0.1:${target};
      proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection upgrade;
      proxy_read_timeout 1h;
      proxy_send_timeout 1h;
    }
  }
}
`;

interface Balancer {
	readonly title: string;
	readonly configuration: (ports: Ports) => string;
	readonly parameters: (file: string) => readonly string[];
}

const BALANCERS: Readonly<Record<BalancerName, Balancer>> = {
	haproxy: {
		title: "HAProxy",
		configuration: haproxy,
		parameters: (file) => ["-db", "-f", file],
	},
	nginx: {
		title: "nginx",
		configuration: nginx,
		parameters: (file) => ["-e", "stderr", "-c", file],
	},
};

function fileOf(name: BalancerName): string {
	return spawnSync(name, ["-v"]).error === undefined ? name : join(SYSTEM_FOLDER, name);
}

/** Its name and version; undefined where it is not installed. */
export function balancerVersion(name: BalancerName): string | undefined {
	const { stdout, stderr, status } = spawnSync(fileOf(name), ["-v"], { encoding: "utf8" });
	if (status !== 0) return undefined;
	return `${BALANCERS[name].title} ${/\d+\.\d+\.\d+/.exec(stdout + stderr)?.[0] ?? "?"}`;
}

async function freePort(): Promise<number> {
	const server = createServer().listen(0, "127.0.0.1");
	await once(server, "listening");
	const { port } = server.address() as AddressInfo;
	server.close();
	await once(server, "close");
	return port;
}

/** Starts it, with one thread, in front of a port. */
export async function startBalancer(
	name: BalancerName,
	target: number,
	core: number | undefined,
): Promise<{ child: Child; port: number; stop(): Promise<void> }> {
	const { title, configuration, parameters } = BALANCERS[name];
	const folder = mkdtempSync(join(tmpdir(), "trunkline-bench-"));
	const port = await freePort();
	const file = join(folder, `${name}.conf`);
	writeFileSync(file, configuration({ port, target, folder }));
	const child = new Child(title, { program: [fileOf(name), ...parameters(file)], port, core });
	const stop = async (): Promise<void> => {
		await child.stop();
		if (existsSync(folder)) rmSync(folder, { recursive: true });
	};
	try {
		await child.started();
	} catch (error) {
		await stop();
		throw error;
	}
	return { child, port, stop };
}
