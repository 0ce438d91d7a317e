/** TypeScript → build/src: the library's modules and types, one for one. The package is bundled of them, tests load them. */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
/** Written last: what is older than this is compiled. Node reads in it what `#platform` and `#native` mean for these modules. */
const manifest = join(root, "build/src/package.json");

/** Runs the TypeScript compiler on a project of the repository; its exit status. */
export function tsc(project, ...flags) {
  const compiler = join(root, "node_modules/typescript/bin/tsc");
  const args = [compiler, "-p", project, ...flags];
  return spawnSync(process.execPath, args, { cwd: root, stdio: "inherit" }).status ?? 1;
}

/** Compiles the library; `flags` are the compiler's. Its exit status. */
export function compileLibrary(...flags) {
  const status = tsc("tsconfig.build.json", ...flags);
  if (status !== 0) return status;
  const { name, version, type, sideEffects } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const imports = { "#platform": "./platform/node.js", "#native": "./runtime/native.js" };
  const exports = { "./package.json": "./package.json" };
  const text = JSON.stringify({ name, version, type, sideEffects, imports, exports }, null, 2);
  writeFileSync(manifest, `${text}\n`);
  return 0;
}

/** Whether nothing has changed since the library was compiled. */
export function isCompiled() {
  if (!existsSync(manifest)) return false;
  const { mtimeMs } = statSync(manifest);
  const isOlder = (path) => statSync(path).mtimeMs < mtimeMs;
  const sources = readdirSync(join(root, "src"), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /(?<!\.test)\.ts$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name));
  return [
    ...sources,
    ...["package.json", "tsconfig.build.json", "tsconfig.base.json"].map((name) => join(root, name)),
  ].every(isOlder);
}
