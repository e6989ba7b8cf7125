// Builds the images of this repository with buildah, in a store of their own that is thrown away afterwards.
import { existsSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { makeBaseTree, run } from "./base-image.mjs";

export const BASE_IMAGE = "localhost/trunkline-base";

function npmSetting(name) {
	const value = run("npm", ["config", "get", name]).trim();
	return value !== "" && value !== "undefined" && value !== "null" && existsSync(value) ? value : undefined;
}

/**
 * What this machine's npm needs to reach its registry, lent to the RUN lines of the build. Mounts are never part of a
 * layer, and the last stage of the Dockerfiles has no RUN line: nothing of it gets into the image.
 */
function npmVolumes() {
	const [user, global, authorities, cache] = ["userconfig", "globalconfig", "cafile", "cache"].map(
		npmSetting,
	);
	const mounts = [
		user && [user, "/root/.npmrc", "ro"],
		global && [global, "/usr/local/etc/npmrc", "ro"],
		authorities && [authorities, authorities, "ro"],
		cache && [cache, "/root/.npm", "rw"],
	];
	return mounts.filter(Boolean).flatMap((mount) => ["--volume", mount.join(":")]);
}

/** A store of images below `folder`. */
export class ImageBuilder {
	#folder;
	#root;
	#driver;

	constructor({ folder, root }) {
		this.#folder = folder;
		this.#root = root;
		this.#driver = this.#works("overlay") ? "overlay" : "vfs";
	}

	get driver() {
		return this.#driver;
	}

	#store(driver = this.#driver) {
		const at = join(this.#folder, driver);
		return ["--root", join(at, "root"), "--runroot", join(at, "run"), "--storage-driver", driver];
	}

	/** Overlay is fast, and does not work on every file system. */
	#works(driver) {
		try {
			const name = run("buildah", [...this.#store(driver), "from", "scratch"]).trim();
			run("buildah", [...this.#store(driver), "mount", name]);
			run("buildah", [...this.#store(driver), "rm", name]);
			return true;
		} catch {
			return false;
		}
	}

	/** Calls buildah on the store and returns what it prints. */
	buildah(verb, ...parameters) {
		return run("buildah", this.parameters(verb, ...parameters), { cwd: this.#root }).trim();
	}

	/** The parameters of a call on the store, for `spawn`. */
	parameters(verb, ...parameters) {
		return [...this.#store(), verb, ...parameters];
	}

	/** Makes the base image that stands in for the official Node image. */
	makeBase() {
		const tree = join(this.#folder, "tree");
		makeBaseTree(tree, join(this.#folder, "debs"));
		const container = this.buildah("from", "scratch");
		this.buildah("copy", "--quiet", container, tree, "/");
		this.buildah("config", "--env", "PATH=/usr/local/bin:/usr/bin:/bin", container);
		this.buildah("commit", "--quiet", container, BASE_IMAGE);
		this.buildah("rm", container);
		rmSync(tree, { recursive: true });
	}

	/** Builds an image from a Dockerfile as anybody would, but for the base image. */
	build(dockerfile, tag) {
		const format = ["--format", "docker", "--isolation", "chroot", "--layers"];
		const base = ["--build-arg", `BASE_IMAGE=${BASE_IMAGE}`];
		this.buildah("build", ...format, ...base, ...npmVolumes(), "--file", dockerfile, "--tag", tag, ".");
	}

	/** A container of an image: its name, where its tree is mounted, and the image's configuration. */
	open(image) {
		const name = this.buildah("from", image);
		const { Docker } = JSON.parse(this.buildah("inspect", "--type", "image", image));
		return { name, tree: this.buildah("mount", name), config: Docker.config };
	}

	/** Takes all mounts and containers away; the folder can be removed then. */
	close() {
		mkdirSync(this.#folder, { recursive: true });
		run("buildah", [...this.#store(), "umount", "--all"]);
		run("buildah", [...this.#store(), "rm", "--all"]);
	}
}
