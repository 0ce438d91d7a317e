/**
 * Names of generated code for other tools: `/tmp/perf-PID.map`, where perf looks up code that no file holds
 * (`NETWRIGHT_PERF_MAP=1`), and an ELF object file for each program (`NETWRIGHT_ELF=folder`), for `objdump -d` and gdb's
 * `add-symbol-file`.
 */
import { appendProfilerMap, env, writeObjectFile } from "#platform";
import type { CodeSymbol } from "../../codegen/x64/assembler/assembler.ts";
import { type ElfCode, elfObject } from "../../codegen/x64/assembler/elf.ts";

export function appendPerfMap(symbols: readonly CodeSymbol[], address: number): void {
  const lines = symbols.map(
    ({ name, start, bytes }) => `${(address + start).toString(16)} ${bytes.toString(16)} ${name}\n`,
  );
  appendProfilerMap(lines.join(""));
}

let programs = 0;

/** The program's code at the address where it runs, when the environment names a folder: 1-train.o, 2-train.o … */
export function dumpObjectFile(code: ElfCode, address: number, program: string): void {
  const folder = env("NETWRIGHT_ELF");
  if (!folder) return;
  const name = program.replaceAll(/[^\w.-]+/g, "-").slice(0, 80);
  writeObjectFile(folder, `${++programs}-${name}.o`, elfObject(code, address));
}
