import { availableParallelism } from "node:os";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";
import { compileLibrary, isCompiled } from "./scripts/compile.mjs";

const root = dirname(fileURLToPath(import.meta.url));
const built = (path: string): string => join(root, "build/src", path);

/**
 * Tests load the library's modules as the compiler made them (build/src), by Node itself: transformed by vitest, where each use of
 * an import goes through a getter, compiling programs takes half as long again.
 */
const builtLibrary: Plugin = {
  name: "built-library",
  enforce: "pre",
  resolveId(source, importer) {
    if (importer === undefined || !/^\.{1,2}\/.*(?<!\.test)\.ts$/.test(source)) return undefined;
    const path = relative(join(root, "src"), resolve(dirname(importer), source));
    return path.startsWith("..") ? undefined : built(path.replace(/\.ts$/, ".js"));
  },
};

// A failure would leave the modules of before: tests of those would mislead.
if (!isCompiled() && compileLibrary("--noCheck") !== 0)
  throw new Error("src does not compile: npm run types");

export default defineConfig({
  plugins: [builtLibrary],
  resolve: {
    alias: [
      { find: /^netwright$/, replacement: built("tensor/index.js") },
      { find: /^netwright\/(.*)$/, replacement: built("$1/index.js") },
      { find: "#platform", replacement: built("platform/node.js") },
      { find: "#native", replacement: built("runtime/native.js") },
    ],
  },
  test: {
    include: ["src/**/*.test.ts", "test/**/*.test.ts"],
    exclude: ["node_modules/**"],
    setupFiles: ["test/setup.ts"],
    server: { deps: { external: [/[\\/]build[\\/]src[\\/]/] } },
    // Files share one process a core and load the library once: loading it for each was a fifth of the time.
    isolate: false,
    maxWorkers: availableParallelism(),
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
});
