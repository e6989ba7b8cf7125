import { execFile } from "node:child_process";
import { promisify } from "node:util";

const PROJECT = "bench/competitors/aspnet";
const OUTPUT = "temp/aspnet";
const BUILD_TIMEOUT_MS = 180_000;

/** Starts the ASP.NET Core server once it is built; paths are the repository's. */
export const ASPNET_COMMAND: readonly string[] = ["dotnet", `${OUTPUT}/bin/aspnet/release/aspnet.dll`];

/** Builds the ASP.NET Core server; resolves with why it cannot be measured, or nothing. */
export async function buildAspNet(): Promise<string | undefined> {
	// No build server is left behind.
	const settings = ["-nodeReuse:false", "-p:UseSharedCompilation=false", "-v", "quiet", "--nologo"];
	const parameters = ["build", PROJECT, "-c", "Release", "--artifacts-path", OUTPUT, ...settings];
	try {
		await promisify(execFile)("dotnet", parameters, { timeout: BUILD_TIMEOUT_MS });
		return undefined;
	} catch (error) {
		const { code, stdout = "" } = error as NodeJS.ErrnoException & { readonly stdout?: string };
		if (code === "ENOENT") return "ASP.NET Core is not measured, since `dotnet` is not installed.";
		const telling = stdout.split("\n").find((line) => line.includes("error")) ?? String(error);
		return `ASP.NET Core is not measured, since it could not be built: ${telling.trim()}`;
	}
}
