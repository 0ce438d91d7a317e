/** What machine code reaches at most on this machine: see `multiply-add-loop.ts`. */
import { doctor } from "../../src/runtime/x64/doctor.ts";
import type { LoopIsa } from "../../src/runtime/x64/multiply-add-loop.ts";

export { type LoopIsa, multiplyAddLoop } from "../../src/runtime/x64/multiply-add-loop.ts";

/** Why there is none for this instruction set, or undefined. */
export function whyNot(isa: LoopIsa): string | undefined {
  const { isa: best, reasons } = doctor();
  return best === "avx512" || best === isa ? undefined : reasons.join("; ");
}

export const bestIsa = (): LoopIsa | undefined => doctor().isa;
