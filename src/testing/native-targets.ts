/** Machine code for every instruction set of this machine, as targets of the test suites. */
import { doctor } from "../runtime/x64/doctor.ts";
import { createNativeDevice } from "../runtime/x64-device.ts";
import { deviceTarget, type EvaluationTarget } from "./evaluation-target.ts";

const { isa, reasons } = doctor();

const sets = { none: [], avx2: ["avx2"], avx512: ["avx2", "avx512"] } as const;

/** Subnormals are kept, so that results can be compared with those of the other targets. */
export const nativeTargets: readonly EvaluationTarget[] = sets[isa ?? "none"].map((set) =>
  deviceTarget(createNativeDevice({ isa: set, keepsSubnormals: true })),
);
if (reasons.length > 0) console.log(`machine code: ${reasons.join("; ")}`);
