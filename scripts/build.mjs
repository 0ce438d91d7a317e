/**
 * Builds the package: TypeScript → build/src (modules and types), then one file an entry, what they share in another → dist.
 *
 * Two hundred small modules cost 50 ms to load in Node, a dozen cost 15: a program that trains should start at once. What
 * the package's `imports` choose between stays apart: the platform's two files, and the native device or none.
 */
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";

const root = fileURLToPath(new URL("..", import.meta.url));
process.chdir(root);

function tsc(project) {
  const compiler = fileURLToPath(new URL("../node_modules/typescript/bin/tsc", import.meta.url));
  const { status } = spawnSync(process.execPath, [compiler, "-p", project], { stdio: "inherit" });
  if (status !== 0) process.exit(status ?? 1);
}

/** Other characters stand in texts and comments alone: in texts an escape means the same. */
const ascii = (code) =>
  code.replace(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);

/** Rooms that users import: `./dist/nn/index.js` in the package's `exports` is `nn`. */
const { exports, peerDependencies } = JSON.parse(readFileSync("package.json", "utf8"));
const rooms = Object.values(exports)
  .map((entry) => /^\.\/dist\/(\w+)\/index\.js$/.exec(entry.default ?? "")?.[1])
  .filter((room) => room !== undefined && existsSync(`src/${room}/index.ts`));

tsc("tsconfig.build.json");
rmSync("dist", { recursive: true, force: true });
cpSync("build/src", "dist", {
  recursive: true,
  filter: (path) => !path.endsWith(".js") && !path.endsWith(".tsbuildinfo"),
});

const bundle = await rolldown({
  input: {
    ...Object.fromEntries(rooms.map((room) => [`${room}/index`, `build/src/${room}/index.js`])),
    "cli/netwright": "build/src/cli/netwright.js",
    "platform/node": "build/src/platform/node.js",
    "platform/browser": "build/src/platform/browser.js",
    "runtime/native": "build/src/runtime/native.js",
    "runtime/native-none": "build/src/runtime/native-none.js",
  },
  external: [/^node:/, "#platform", "#native", ...Object.keys(peerDependencies ?? {})],
  platform: "neutral",
});
const { output } = await bundle.generate({
  format: "esm",
  chunkFileNames: "[name].js",
  // What several entries share is one file: each file more costs a start about a millisecond.
  comments: { jsdoc: false },
  codeSplitting: { groups: [{ name: "shared", minShareCount: 2 }] },
});
await bundle.close();
// One byte a character: V8 holds a file with any other in two, and reads it half as fast.
for (const { fileName, code } of output) {
  mkdirSync(dirname(`dist/${fileName}`), { recursive: true });
  writeFileSync(`dist/${fileName}`, ascii(code));
}
if (existsSync("tsconfig.examples.json")) tsc("tsconfig.examples.json");
