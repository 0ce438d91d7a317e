/** Whether machine code can run here, and if not, why. */
import { NetwrightError } from "../../base/errors.ts";
import { type CpuFeatures, cpuFeatures } from "./cpu-features.ts";
import { NativeSystem, nativeSystem } from "./system.ts";

export interface NativeReport {
  /** The best instruction set that may run; undefined: none. */
  readonly isa: "avx512" | "avx2" | undefined;
  /** Why not, or why not a better one. */
  readonly reasons: readonly string[];
  readonly features: CpuFeatures | undefined;
}

/**
 * Says why machine code can or cannot run in this process.
 *
 * @example
 * const { isa, reasons } = doctor(); // "avx512", []
 */
export function doctor(system: NativeSystem | { readonly reason: string } = nativeSystem()): NativeReport {
  if (!(system instanceof NativeSystem))
    return { isa: undefined, reasons: [system.reason], features: undefined };
  let features: CpuFeatures;
  try {
    features = cpuFeatures(system);
  } catch (error) {
    if (!(error instanceof NetwrightError)) throw error;
    return { isa: undefined, reasons: [error.message], features: undefined };
  }
  if (features.avx512) return { isa: "avx512", reasons: [], features };
  if (features.avx2)
    return {
      isa: "avx2",
      reasons: ["the processor or the system has no AVX-512 (F, VL, DQ, BW, CD)"],
      features,
    };
  return {
    isa: undefined,
    reasons: ["the processor or the system has no AVX2 with FMA, F16C, BMI1 and BMI2"],
    features,
  };
}
