import { fileURLToPath } from "node:url";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

/** Builds app-server/pages into dist/pages; the same sources give the same bytes and file names. */
export default defineConfig({
	root: fileURLToPath(new URL("./pages", import.meta.url)),
	base: "/",
	plugins: [react()],
	build: {
		outDir: fileURLToPath(new URL("../dist/pages", import.meta.url)),
		emptyOutDir: true,
		// Everything under assets/ has a content hash in its name, and the server lets browsers keep it for ever.
		assetsDir: "assets",
		assetsInlineLimit: 0,
		modulePreload: { polyfill: false },
		sourcemap: false,
		reportCompressedSize: false,
	},
});
