/**
 * Builds the package: TypeScript → build/src (modules and types), then one file an entry, what they share in another → dist.
 *
 * Two hundred small modules cost 50 ms to load in Node, a dozen cost 15: a program that trains should start at once. What
 * the package's `imports` choose between stays apart: the platform's two files, and the native device or none.
 */
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";
import { compileLibrary, tsc } from "./compile.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
process.chdir(root);

function must(status) {
  if (status !== 0) process.exit(status);
}

/** Other characters stand in texts and comments alone: in texts an escape means the same. */
const ascii = (code) =>
  code.replace(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);

/** Rooms that users import: `./dist/nn/index.js` in the package's `exports` is `nn`. */
const { exports, peerDependencies } = JSON.parse(readFileSync("package.json", "utf8"));
const rooms = Object.values(exports)
  .map((entry) => /^\.\/dist\/(\w+)\/index\.js$/.exec(entry.default ?? "")?.[1])
  .filter((room) => room !== undefined && existsSync(`src/${room}/index.ts`));

/** What the package's `imports` choose between. */
const choices = ["platform/node", "platform/browser", "runtime/native", "runtime/native-none"];

/** Types that can be reached from the package's entries and imports: a fifth of all belongs to what nobody imports. */
function reachableTypes() {
  const entries = [...rooms.map((room) => `${room}/index`), ...choices];
  const waiting = entries.map((entry) => `build/src/${entry}.d.ts`);
  const found = new Set();
  while (waiting.length > 0) {
    const file = waiting.pop();
    if (found.has(file)) continue;
    found.add(file);
    // `from "…"`, `import "…"`, and `import("…")` in a type.
    for (const [, specifier] of readFileSync(file, "utf8").matchAll(/(?:from |import |import\()"(\.[^"]+)"/g))
      waiting.push(
        join(dirname(file), specifier)
          .replaceAll("\\", "/")
          .replace(/\.[jt]s$/, ".d.ts"),
      );
  }
  return found;
}

/** Rooms that a program needs that trains a model of its own. */
const core =
  /[\\/]build[\\/]src[\\/](base|platform|graph|ops|autodiff|ir|compiler|codegen|runtime|tensor|nn|losses|optim)[\\/]/;

/** Every other room has a file: a page's bundler leaves files out that it does not need, but few tables within one that it does. */
const room = /[\\/]build[\\/]src[\\/](\w+)[\\/]/;

/** What a page may never need, and loads when it does: files of their own, with what they alone use. */
const late = {
  "late/progress": /[\\/]build[\\/]src[\\/]train[\\/](progress|header)\.js$/,
  "late/checks": /[\\/]build[\\/]src[\\/]train[\\/](run-report|data-checks)\.js$/,
  "late/checkpoints":
    /[\\/]build[\\/]src[\\/]train[\\/](checkpoints|checkpoint-options|resumption|callback-state)\.js$/,
  "late/failed-step":
    /[\\/]build[\\/]src[\\/](train[\\/]failed-step|tensor[\\/](explain-nan|find-nan|find-nan-loops))\.js$/,
};

// `--no-check`: for whoever checks all types anyway (test/run.mjs).
const flags = process.argv.includes("--no-check") ? ["--noCheck"] : [];
must(compileLibrary(...flags));
rmSync("dist", { recursive: true, force: true });
for (const file of reachableTypes()) {
  const target = file.replace("build/src", "dist");
  mkdirSync(dirname(target), { recursive: true });
  cpSync(file, target);
}

const bundle = await rolldown({
  input: {
    ...Object.fromEntries(rooms.map((room) => [`${room}/index`, `build/src/${room}/index.js`])),
    "cli/netwright": "build/src/cli/netwright.js",
    ...Object.fromEntries(choices.map((choice) => [choice, `build/src/${choice}.js`])),
  },
  external: [/^node:/, "#platform", "#native", ...Object.keys(peerDependencies ?? {})],
  platform: "neutral",
  preserveEntrySignatures: "allow-extension",
});
const { output } = await bundle.generate({
  format: "esm",
  // What is imported late lies with what it needs: a page's bundler can tell it by the folder.
  chunkFileNames: ({ name, isDynamicEntry }) => (isDynamicEntry ? `late/import-${name}.js` : `${name}.js`),
  // Each file more costs a start about a millisecond, each 100 kB about four: what every program needs is one file, what else
  // several entries share another for each room.
  comments: { jsdoc: false },
  codeSplitting: {
    // Else a group takes whatever its modules import with it.
    includeDependenciesRecursively: false,
    groups: [
      ...Object.entries(late).map(([name, test]) => ({ name, test, priority: 2 })),
      { name: "core", test: core, minShareCount: 2, priority: 1 },
      { debugName: "room", name: (id) => room.exec(id)?.[1], test: room, minShareCount: 2 },
    ],
  },
});
await bundle.close();
// One byte a character: V8 holds a file with any other in two, and reads it half as fast.
for (const { fileName, code } of output) {
  mkdirSync(dirname(`dist/${fileName}`), { recursive: true });
  writeFileSync(`dist/${fileName}`, ascii(code));
}
if (existsSync("tsconfig.examples.json")) must(tsc("tsconfig.examples.json", ...flags));
