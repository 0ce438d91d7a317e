import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const src = (path: string): string => fileURLToPath(new URL(`./src/${path}`, import.meta.url));

export default defineConfig({
  resolve: {
    alias: [
      { find: /^netwright$/, replacement: src("tensor/index.ts") },
      { find: /^netwright\/(.*)$/, replacement: src("$1/index.ts") },
      { find: "#platform", replacement: src("platform/node.ts") },
      { find: "#native", replacement: src("runtime/native.ts") },
    ],
  },
  test: {
    include: ["src/**/*.test.ts", "test/**/*.test.ts"],
    exclude: ["node_modules/**"],
    setupFiles: ["test/setup.ts"],
    // Files share one process a core and load the library once: loading it for each was a fifth of the time.
    isolate: false,
    maxWorkers: availableParallelism(),
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
});
