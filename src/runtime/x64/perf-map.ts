/** `/tmp/perf-PID.map`: where perf looks up the names of code that no file holds. */
import { appendProfilerMap } from "#platform";
import type { CodeSymbol } from "../../codegen/x64/assembler/assembler.ts";

export function appendPerfMap(symbols: readonly CodeSymbol[], address: number): void {
  const lines = symbols.map(
    ({ name, start, bytes }) => `${(address + start).toString(16)} ${bytes.toString(16)} ${name}\n`,
  );
  appendProfilerMap(lines.join(""));
}
