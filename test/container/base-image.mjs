// A base image made on this machine: Debian packages from the machine's own apt sources, its Node binary and its npm.
// It stands in for the official Node image where a registry of images is out of reach.
import { spawnSync } from "node:child_process";
import {
	cpSync,
	existsSync,
	mkdirSync,
	readdirSync,
	realpathSync,
	symlinkSync,
	writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";

/** The packages that Node, npm and the RUN lines of the Dockerfiles need, with all that they depend on. */
const PACKAGES = ["base-files", "coreutils", "dash", "libstdc++6", "libatomic1"];
const MERGED_DIRECTORIES = ["bin", "sbin", "lib", "lib64"];

/** Runs a command and returns what it printed; throws with its last words when it fails. */
export function run(command, parameters, options = {}) {
	const done = spawnSync(command, parameters, { encoding: "utf8", maxBuffer: 64 * 1024 * 1024, ...options });
	if (done.status === 0) return done.stdout ?? "";
	const words = `${done.stdout ?? ""}${done.stderr ?? ""}`.trim().split("\n").slice(-25).join("\n");
	throw new Error(
		`${command} ${parameters.slice(0, 6).join(" ")} failed (${done.error?.message ?? done.status}):\n${words}`,
	);
}

/** True when the machine has a program. */
export function has(program) {
	return spawnSync("sh", ["-c", `command -v ${program}`]).status === 0;
}

function packageClosure() {
	const parameters = ["depends", "--recurse"];
	for (const kind of ["recommends", "suggests", "conflicts", "breaks", "replaces", "enhances"])
		parameters.push(`--no-${kind}`);
	const lines = run("apt-cache", [...parameters, ...PACKAGES]).split("\n");
	const skipped = /^(?:debconf|perl|dpkg|tar$|install-info|cdebconf|awk|mawk|gawk|original-awk)/;
	return lines.filter((line) => /^[a-z0-9]/.test(line) && !skipped.test(line) && !line.includes(":"));
}

function extractPackages(debs, root) {
	mkdirSync(debs, { recursive: true });
	run("apt-get", ["download", "-q", ...packageClosure()], { cwd: debs });
	for (const directory of MERGED_DIRECTORIES) {
		mkdirSync(join(root, "usr", directory), { recursive: true });
		symlinkSync(`usr/${directory}`, join(root, directory));
	}
	for (const deb of readdirSync(debs)) {
		run("sh", [
			"-c",
			'dpkg-deb --fsys-tarfile "$1" | tar -x --keep-directory-symlink -C "$2"',
			"sh",
			join(debs, deb),
			root,
		]);
	}
	if (!existsSync(join(root, "usr/bin/sh"))) symlinkSync("dash", join(root, "usr/bin/sh"));
}

function copyNode(root) {
	const local = join(root, "usr/local");
	mkdirSync(join(local, "bin"), { recursive: true });
	cpSync(realpathSync(process.execPath), join(local, "bin/node"));
	const npm = dirname(dirname(realpathSync(run("sh", ["-c", "command -v npm"]).trim())));
	cpSync(npm, join(local, "lib/node_modules/npm"), { recursive: true });
	for (const name of ["npm", "npx"])
		symlinkSync(`../lib/node_modules/npm/bin/${name}-cli.js`, join(local, "bin", name));
}

/** Makes the file tree of the base image in `root`; `debs` takes the packages. */
export function makeBaseTree(root, debs) {
	mkdirSync(root, { recursive: true });
	extractPackages(debs, root);
	copyNode(root);
	for (const directory of ["etc/ssl/certs", "proc", "sys", "dev", "run"])
		mkdirSync(join(root, directory), { recursive: true });
	mkdirSync(join(root, "tmp"), { recursive: true, mode: 0o1777 });
	writeFileSync(join(root, "etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n");
	writeFileSync(join(root, "etc/group"), "root:x:0:\n");
}
