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
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
});
