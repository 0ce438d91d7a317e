/** Which memory a kernel's statements touch. */
import type { KernelBuffer, Statement } from "../../ir/kernel.ts";

/** The buffers that statements load from and store to, in order of appearance. */
export function buffersOf(
  statements: readonly Statement[],
  found = new Set<KernelBuffer>(),
): Set<KernelBuffer> {
  for (const s of statements) {
    if (s.kind === "loop") {
      buffersOf(s.body, found);
      buffersOf(s.remainder, found);
    } else if (s.kind === "store") found.add(s.buffer);
    else if (s.kind === "define" && s.value.kind === "load") found.add(s.value.buffer);
  }
  return found;
}
