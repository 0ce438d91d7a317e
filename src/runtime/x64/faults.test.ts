/** Faults in generated code, made in child processes. They run the build of the sources (`npm run build`). */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { hasObjdump, objdump, objdumpReason } from "../../../test/objdump.ts";
import { root } from "../../../test/source.ts";
import { doctor } from "./doctor.ts";

const { isa, reasons } = doctor();
const why = `machine code cannot run here: ${reasons.join("; ")}`;

const prelude = `
  import { Assembler } from "./build/src/codegen/x64/assembler/assembler.js";
  import { at, rax, rdi } from "./build/src/codegen/x64/assembler/operands.js";
  import { loadCode } from "./build/src/runtime/x64/code-memory.js";
  import { faultNames } from "./build/src/runtime/x64/faults.js";
  import { requireNativeSystem } from "./build/src/runtime/x64/system.js";
  const system = requireNativeSystem();
  const names = faultNames(system);
  const a = new Assembler();
  a.begin("first");
  a.emit("ret");
  a.align(16);
  a.begin("row softmax 32×10");
  const entry = a.here();
  a.emit("mov", rax, at(rdi, 16));
  a.emit("ret");
  const code = a.finish();
  const loaded = loadCode(system, code);
  const reads = system.host.functionAt(loaded.address + code.offsetOf(entry), 1);
`;

/** What the process printed, addresses apart. */
function run(program: string, environment: Record<string, string> = {}) {
  const { stdout, stderr, signal, status } = spawnSync(
    process.execPath,
    ["--input-type=module", "--eval", program],
    { cwd: root, encoding: "utf8", env: { ...process.env, ...environment } },
  );
  return { stdout, stderr: stderr.replaceAll(/0x[0-9a-f]{12}/g, "0x…"), signal, status };
}

test("a fault names the kernel and ends the process with its signal", (context) => {
  context.skip(isa === undefined, why);
  const { stderr, signal } = run(`${prelude} names.add(loaded, code.symbols, "train"); reads(0x1234);`);
  expect(signal).toBe("SIGSEGV");
  expect(stderr).toMatchInlineSnapshot(`
    "netwright: SIGSEGV in kernel "row softmax 32×10" of "train", at 0x…: generated code touched memory it should not have; please report it
    "
  `);
});

test("a fault in code that is not ours, or no longer, goes to the handler before", (context) => {
  context.skip(isa === undefined, why);
  const unnamed = run(`${prelude} reads(0x1234);`);
  expect(unnamed).toMatchObject({ stderr: "", signal: "SIGSEGV" });
  const removed = run(
    `${prelude} names.add(loaded, code.symbols, "train"); names.remove(loaded); reads(0x1234);`,
  );
  expect(removed).toMatchObject({ stderr: "", signal: "SIGSEGV" });
  const off = run(`${prelude} console.log(names); reads(0x1234);`, { NETWRIGHT_FAULT_HANDLER: "0" });
  expect(off).toMatchObject({ stdout: "undefined\n", stderr: "", signal: "SIGSEGV" });
});

test("WebAssembly's own faults stay errors", (context) => {
  context.skip(isa === undefined, why);
  // (memory 1) (func (export "f") (result i32) (i32.load (i32.const 0x0ff00000)))
  const bytes = [
    0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 127, 3, 2, 1, 0, 5, 3, 1, 0, 1, 7, 5, 1, 1, 102, 0, 0,
  ];
  const body = [10, 13, 1, 11, 0, 65, 128, 128, 192, 255, 0, 40, 2, 0, 11];
  const { stdout, status } = run(`${prelude}
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(Uint8Array.of(${[...bytes, ...body]})));
    try { exports.f(); } catch (error) { console.log(String(error)); }`);
  expect({ stdout, status }).toEqual({ stdout: "RuntimeError: memory access out of bounds\n", status: 0 });
});

test("a mapped file that was cut short ends the process, and says so", (context) => {
  context.skip(isa === undefined, why);
  const folder = mkdtempSync(join(tmpdir(), "netwright-cut-"));
  try {
    const { stdout, stderr, signal } = run(
      `
      import { truncateSync } from "node:fs";
      import { compile, tensor } from "netwright";
      import { openSafetensors, writeSafetensors } from "netwright/formats";
      const path = ${JSON.stringify(join(folder, "w.safetensors"))};
      await writeSafetensors(path, new Map([["w", { dtype: "f32", shape: [50_000], data: new Float32Array(50_000) }]]));
      const total = compile((x) => x.sum());
      const file = await openSafetensors(path, { mmap: true });
      const w = tensor(await file.map("w"));
      console.log(await total(w).item());
      truncateSync(path, 100);
      await total(w).item();`,
      { NETWRIGHT_TARGET: "x64", NETWRIGHT_THREADS: "1" },
    );
    expect({ stdout, signal }).toEqual({ stdout: "0\n", signal: "SIGBUS" });
    expect(stderr).toMatch(
      /^netwright: SIGBUS in kernel ".*" of "\w+", at 0x…: a file of weights was cut short/,
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test("perf finds the names of kernels at the addresses where they run", (context) => {
  context.skip(isa === undefined, why);
  const { stdout, status } = run(
    `
    import { readFileSync, unlinkSync } from "node:fs";
    import { compile, tensor } from "netwright";
    const double = compile((x) => x.mul(2).softmax());
    await double(tensor([[1, 2], [3, 4]])).data();
    const map = "/tmp/perf-" + process.pid + ".map";
    const names = readFileSync(map, "utf8").trim().split("\\n").map((line) => line.split(" "));
    unlinkSync(map);
    // perf looks names up only in executable memory that no file is behind.
    const runnable = readFileSync("/proc/self/maps", "utf8").split("\\n").filter((line) => / r-xp .* 0 *$/.test(line));
    const isThere = ([start, bytes]) => runnable.some((line) => {
      const [from, to] = line.split(" ")[0].split("-").map((x) => parseInt(x, 16));
      return parseInt(start, 16) >= from && parseInt(start, 16) + parseInt(bytes, 16) <= to;
    });
    const kernel = names.find((name) => name.slice(2).join(" ").startsWith("row mul,max,sub,exp"));
    console.log(kernel !== undefined, isThere(kernel ?? ["0", "0"]));`,
    { NETWRIGHT_TARGET: "x64", NETWRIGHT_THREADS: "1", NETWRIGHT_PERF_MAP: "1" },
  );
  expect({ stdout, status }).toEqual({ stdout: "true true\n", status: 0 });
});

test("object files of the programs that run name their kernels", (context) => {
  context.skip(isa === undefined, why);
  context.skip(!hasObjdump, objdumpReason);
  const folder = mkdtempSync(join(tmpdir(), "netwright-elf-"));
  try {
    const program = `
      import { compile, tensor } from "netwright";
      const double = compile((x) => x.mul(2).softmax());
      console.log(String(await double(tensor([[1, 2], [3, 4]])).shape));`;
    const { stdout, status } = run(program, { NETWRIGHT_TARGET: "x64", NETWRIGHT_ELF: folder });
    expect({ stdout, status }).toEqual({ stdout: "2,2\n", status: 0 });
    const texts = readdirSync(folder).map((name) =>
      objdump(readFileSync(join(folder, name)), ["-d", "--no-show-raw-insn"]),
    );
    expect(texts.join("\n")).toContain("<row mul,max,sub,exp,… 6 ops 2×2>:");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
