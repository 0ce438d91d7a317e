/** Disassembles machine code with `objdump` (package binutils), which knows nothing of our tables. */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export const hasObjdump = spawnSync("objdump", ["--version"], { encoding: "utf8" }).status === 0;
export const objdumpReason = "objdump is not installed (Debian package binutils)";

/** Runs objdump on a file with these bytes. */
export function objdump(bytes: Uint8Array, options: readonly string[]): string {
  const folder = mkdtempSync(join(tmpdir(), "netwright-objdump-"));
  try {
    const file = join(folder, "code");
    writeFileSync(file, bytes);
    return execFileSync("objdump", [...options, file], { encoding: "utf8", maxBuffer: 2 ** 28 });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The instruction at each offset of raw code, in Intel's syntax. */
export function disassemble(bytes: Uint8Array): Map<number, string> {
  const text = objdump(bytes, [
    "-D",
    "-b",
    "binary",
    "-m",
    "i386:x86-64",
    "-M",
    "intel",
    "--no-show-raw-insn",
    "-w",
  ]);
  const lines = new Map<number, string>();
  for (const line of text.split("\n")) {
    const match = /^\s*([0-9a-f]+):\s+(.*)$/.exec(line);
    if (match) lines.set(Number.parseInt(match[1]!, 16), match[2]!.trim());
  }
  return lines;
}
