/** What is published and what it costs to install: contents, size, dependencies. Reads the built package. */
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { Worker } from "node:worker_threads";
import { beforeAll, expect, test } from "vitest";
import { filesUnder, readText, root } from "./source.ts";

interface Manifest {
  readonly dependencies?: Record<string, string>;
  readonly optionalDependencies?: Record<string, string>;
  readonly peerDependencies?: Record<string, string>;
  readonly peerDependenciesMeta?: Record<string, { readonly optional?: boolean }>;
  readonly scripts: Record<string, string>;
  readonly exports: Record<string, string | { readonly types: string; readonly default: string }>;
}

const manifest = JSON.parse(readText("package.json")) as Manifest;

interface Packed {
  readonly unpackedSize: number;
  readonly files: readonly { readonly path: string; readonly size: number }[];
}

let packed: Packed;

beforeAll(() => {
  if (!existsSync(join(root, "dist")))
    throw new Error("the package is not built: npm run build, or npm test");
  const answer = execFileSync("npm", ["pack", "--dry-run", "--json", "--ignore-scripts"], {
    cwd: root,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
    shell: process.platform === "win32",
  });
  [packed] = JSON.parse(answer) as [Packed];
});

test("the unpacked package is under 4.5 MB", () => {
  expect(packed.unpackedSize).toBeLessThan(4_500_000);
});

test("only the built library and its papers are packed", () => {
  const stray = packed.files.map(({ path }) => path).filter((path) => !/^dist\/.*\.(js|d\.ts)$/.test(path));
  expect(stray.sort()).toEqual(["CHANGELOG.md", "LICENSE", "README.md", "package.json"]);
  expect(packed.files.map(({ path }) => path).filter((path) => path.includes(".test."))).toEqual([]);
});

test("every entry of exports is packed", () => {
  const paths = new Set(packed.files.map(({ path }) => `./${path}`));
  const targets = Object.values(manifest.exports).flatMap((entry) =>
    typeof entry === "string" ? [entry] : Object.values(entry),
  );
  expect(targets.filter((target) => !paths.has(target))).toEqual([]);
});

/** Loads a module with none before it; why it failed, if it did. */
function loadAlone(path: string): Promise<string | undefined> {
  const code = `import(${JSON.stringify(pathToFileURL(path).href)})`;
  return new Promise((resolve) => {
    const worker = new Worker(code, { eval: true, execArgv: [] });
    worker.once("error", (error) => resolve(`${path}: ${(error as Error).message}`));
    worker.once("exit", () => resolve(undefined));
  });
}

// Files that import each other in a circle may load in one order and fail in another.
test("every entry may be the first to be loaded", async () => {
  const failed: string[] = [];
  for (const entry of Object.values(manifest.exports)) {
    if (typeof entry === "string") continue;
    const reason = await loadAlone(join(root, entry.default));
    if (reason !== undefined) failed.push(reason);
  }
  expect(failed).toEqual([]);
}, 120_000);

test("nothing is required beside the package itself", () => {
  const { dependencies, optionalDependencies, peerDependencies = {}, peerDependenciesMeta = {} } = manifest;
  expect(dependencies).toBeUndefined();
  // What only some users need, who install it themselves.
  const required = Object.keys(peerDependencies).filter(
    (name) => peerDependenciesMeta[name]?.optional !== true,
  );
  expect(required).toEqual([]);
  // What calls the machine code; without it `cpu` runs on WebAssembly.
  expect(Object.keys(optionalDependencies ?? {})).toEqual(["koffi"]);
});

test("installing runs no script", () => {
  const atInstall = ["preinstall", "install", "postinstall", "prepare", "prepublish"];
  expect(Object.keys(manifest.scripts).filter((name) => atInstall.includes(name))).toEqual([]);
});

test("the lock file names no download address", () => {
  expect(readText("package-lock.json").match(/"resolved": "http[^"]*"/g)).toBeNull();
});

test("source files stay small", () => {
  const isSource = (path: string): boolean => path.endsWith(".ts") && !path.includes("node_modules");
  const files = ["src", "examples", "test"].flatMap((folder) => filesUnder(folder, isSource));
  const long = files.filter((path) => readText(path).split("\n").length > 601);
  expect(long).toEqual([]);
});

test("no text marks work as unfinished", () => {
  const marks = new RegExp(["TO" + "DO", "FIX" + "ME", "not (yet )?" + "implemented"].join("|"));
  const files = ["src", "examples"].flatMap((folder) => filesUnder(folder, (path) => path.endsWith(".ts")));
  expect(files.filter((path) => marks.test(readText(path)))).toEqual([]);
});
