/** Machines where machine code may not run, made up in child processes: `cpu` is WebAssembly there, quietly, and says why. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import type { Diagnosis } from "../src/runtime/diagnosis.ts";
import { doctor } from "../src/runtime/x64/doctor.ts";
import { root } from "./source.ts";

const folder = mkdtempSync(join(tmpdir(), "netwright-fallback-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What each machine does to a process before anything of ours is loaded. */
const machines = {
  "without koffi": `
    const Module = require("node:module");
    const load = Module._load;
    Module._load = (name, ...rest) => {
      if (name === "koffi") throw Object.assign(new Error("Cannot find module 'koffi'"), { code: "MODULE_NOT_FOUND" });
      return load(name, ...rest);
    };`,
  "with a koffi for another C library": `
    const Module = require("node:module");
    const load = Module._load;
    Module._load = (name, ...rest) => {
      if (name === "koffi") throw new Error("Cannot find the native Koffi module; did you bundle it correctly?");
      return load(name, ...rest);
    };`,
  "on arm64": `Object.defineProperty(process, "arch", { value: "arm64" });`,
  "on Windows": `Object.defineProperty(process, "platform", { value: "win32" });`,
  "where no memory may become executable": refusing("memfd_create", "mprotect"),
  "where the C library has no memfd_create": `
    const koffi = require("koffi");
    const load = koffi.load;
    koffi.load = (...args) => {
      const library = load(...args);
      return { func: (definition) => {
        if (definition.includes("memfd_create")) throw new Error("Cannot find function 'memfd_create'");
        return library.func(definition);
      } };
    };`,
  // Fixed addresses are asked for when files are mapped alone.
  "where the system maps no file": `
    const koffi = require("koffi");
    const load = koffi.load;
    koffi.load = (...args) => {
      const library = load(...args);
      return { func: (definition) => {
        const call = library.func(definition);
        if (!definition.includes("mmap")) return call;
        return (...values) => values[3] & 0x10 ? (koffi.errno(13), -1) : call(...values);
      } };
    };`,
  // The first function that is called at an address asks CPUID; bit 5 of the fifth word is AVX2.
  "with a processor without AVX2": `
    const koffi = require("koffi");
    const decode = koffi.decode;
    koffi.decode = (...args) => {
      koffi.decode = decode;
      const run = decode(...args);
      return (out) => {
        const result = run(out);
        new Uint32Array(koffi.view(out, 36))[4] &= ~(1 << 5);
        return result;
      };
    };`,
} as const;

/** Calls of the C library that fail with EPERM or EACCES, as under seccomp and SELinux. */
function refusing(...names: readonly string[]): string {
  return `
    const koffi = require("koffi");
    const load = koffi.load;
    koffi.load = (...args) => {
      const library = load(...args);
      const refused = ${JSON.stringify(names)};
      return { func: (definition) =>
        refused.some((name) => definition.includes(name)) ? () => { koffi.errno(13); return -1; } : library.func(definition) };
    };`;
}

const program = `
import { device, tensor } from "netwright";
const sum = await tensor([1, 2, 3]).mul(2).sum().item();
const { target, fallback } = device();
console.log(JSON.stringify({ sum, target, fallback }));
process.argv.splice(1, process.argv.length, "netwright", "doctor", "--json");
await import("./dist/cli/netwright.js");
`;

/** Weights that are asked to stay in their file. */
const mapping = `
import { load, save } from "netwright/checkpoint";
import { openSafetensors } from "netwright/formats";
import { Linear } from "netwright/nn";
const path = ${JSON.stringify(join(folder, "w.safetensors"))};
const [model, other] = [new Linear(2, 1), new Linear(2, 1)];
await save(model, path);
const file = await openSafetensors(path, { mmap: true });
await file.close();
const { notMapped } = await load(other, path, { mmap: true });
const [a, b] = await Promise.all([model, other].map(({ weight }) => weight.data()));
console.log(JSON.stringify({ file: file.notMapped, load: notMapped, isSame: a.join() === b.join() }));
`;

interface RunOptions {
  readonly env?: Record<string, string>;
  readonly flags?: readonly string[];
  readonly program?: string;
}

function run(machine: string, options: RunOptions = {}) {
  const hook = join(folder, `${machine.replaceAll(" ", "-")}.cjs`);
  const text = machine in machines ? machines[machine as keyof typeof machines] : "";
  // Hooks stand in a folder without packages.
  const from = `const require = module.require("node:module").createRequire(${JSON.stringify(join(root, "package.json"))});`;
  writeFileSync(hook, `{ ${from}\n${text}\n}`);
  const flags = [
    ...(options.flags ?? []),
    "--require",
    hook,
    "--input-type=module",
    "--eval",
    options.program ?? program,
  ];
  const { stdout, stderr, status } = spawnSync(process.execPath, flags, {
    cwd: root,
    encoding: "utf8",
    env: { ...process.env, NETWRIGHT_TARGET: "", NETWRIGHT_THREADS: "1", ...options.env },
  });
  return { stdout, stderr, status };
}

const here = doctor();
const canRun = here.isa !== undefined;
const why = `machine code cannot run here: ${here.reasons.join("; ")}`;

const fallbackOf = (machine: string): string => {
  const { stdout, stderr, status } = run(machine);
  expect({ stderr, status }).toEqual({ stderr: "", status: 0 });
  const [answer, diagnosis] = stdout.split("\n").map((line) => line && JSON.parse(line)) as [
    { sum: number; target: string; fallback: string },
    Diagnosis,
  ];
  expect(answer).toMatchObject({ sum: 12, target: "wasm" });
  expect(diagnosis).toMatchObject({ problem: answer.fallback, target: { name: "wasm" } });
  expect(diagnosis.native.instructionSet).toBeUndefined();
  expect(answer.fallback).toContain(diagnosis.native.reasons.join("; "));
  return answer.fallback;
};

describe("cpu falls back to WebAssembly without a word on the terminal, and doctor says why", () => {
  test("without koffi", () => {
    expect(fallbackOf("without koffi")).toMatchInlineSnapshot(
      `"machine code cannot run here: the optional package "koffi" is not installed: npm install koffi"`,
    );
  });
  test("with a koffi for another C library", () => {
    expect(fallbackOf("with a koffi for another C library")).toMatchInlineSnapshot(
      `"machine code cannot run here: the package "koffi" does not load here: Cannot find the native Koffi module; did you bundle it correctly?"`,
    );
  });
  test("on arm64", () => {
    expect(fallbackOf("on arm64")).toMatchInlineSnapshot(
      `"machine code cannot run here: machine code is made for Linux on x64, this is linux on arm64"`,
    );
  });
  test("on Windows", () => {
    expect(fallbackOf("on Windows")).toMatchInlineSnapshot(
      `"machine code cannot run here: machine code is made for Linux on x64, this is win32 on x64"`,
    );
  });
  test("where no memory may become executable", (context) => {
    context.skip(!canRun, why);
    expect(fallbackOf("where no memory may become executable")).toMatchInlineSnapshot(
      `"machine code cannot run here: the system gives no memory that may run code: memfd_create failed (error 13); mprotect failed (error 13)"`,
    );
  });
  test("where the C library has no memfd_create", (context) => {
    context.skip(!canRun, why);
    expect(fallbackOf("where the C library has no memfd_create")).toMatchInlineSnapshot(
      `"machine code cannot run here: the C library lacks a function that is needed: Cannot find function 'memfd_create'"`,
    );
  });
  test("with a processor without AVX2", (context) => {
    context.skip(!canRun, why);
    expect(fallbackOf("with a processor without AVX2")).toMatchInlineSnapshot(
      `"machine code cannot run here: the processor or the system has no AVX2 with FMA, F16C, BMI1 and BMI2"`,
    );
  });
});

test("weights that were to stay in their file are read where files cannot be mapped", () => {
  const { stdout, stderr, status } = run("without koffi", { program: mapping });
  expect({ stderr, status }).toEqual({ stderr: "", status: 0 });
  expect(JSON.parse(stdout)).toEqual({
    file: 'the optional package "koffi" is not installed: npm install koffi',
    load: "the device wasm has a memory of its own",
    isSame: true,
  });
});

test("weights that the system does not map are read by machine code", (context) => {
  context.skip(!canRun, why);
  const { stdout, stderr, status } = run("where the system maps no file", { program: mapping });
  expect({ stderr, status }).toEqual({ stderr: "", status: 0 });
  const reason = expect.stringMatching(/^the system does not map ".*" \(error 13\)$/);
  expect(JSON.parse(stdout)).toEqual({ file: reason, load: reason, isSame: true });
});

test("a target that was asked for says why it cannot run", () => {
  const { stderr, status } = run("without koffi", { env: { NETWRIGHT_TARGET: "x64" } });
  expect(status).toBe(1);
  expect(stderr).toContain('the optional package "koffi" is not installed');
});

test("a process that may neither compile JavaScript nor make memory executable runs machine code", (context) => {
  context.skip(!canRun, why);
  const { stdout } = run("plain", { flags: ["--jitless"] });
  expect(JSON.parse(stdout.split("\n")[0]!)).toMatchObject({ sum: 12, target: "x64" });
});

test("a process without WebAssembly and without machine code says both", () => {
  const { stderr, status } = run("without koffi", { flags: ["--jitless"] });
  expect(status).toBe(1);
  expect(stderr.split("\n").find((line) => line.startsWith("PlatformError"))).toMatchInlineSnapshot(
    `"PlatformError: machine code cannot run here: the optional package "koffi" is not installed: npm install koffi; and this process has no WebAssembly (node --jitless?); set NETWRIGHT_TARGET=interpreter to go on slowly"`,
  );
});
