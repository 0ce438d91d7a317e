/** Machine code for every instruction set of this machine, as targets of the test suites. */
import type { Device } from "../runtime/device.ts";
import { doctor } from "../runtime/x64/doctor.ts";
import { createNativeDevice } from "../runtime/x64-device.ts";
import { deviceTarget, type EvaluationTarget } from "./evaluation-target.ts";

const { isa, reasons } = doctor();

const sets = { none: [], avx2: ["avx2"], avx512: ["avx2", "avx512"] } as const;

/** Subnormals are kept, so that results can be compared with those of the other targets. */
export const nativeDevices: readonly Device[] = sets[isa ?? "none"].map((set) =>
  createNativeDevice({ isa: set, keepsSubnormals: true }),
);

/** The same with every op a kernel of its own. */
export const unfusedNativeDevices = (): readonly Device[] =>
  nativeDevices.length === 0 ? [] : [createNativeDevice({ isFused: false, keepsSubnormals: true })];

export const nativeTargets: readonly EvaluationTarget[] = nativeDevices.map(deviceTarget);
if (reasons.length > 0) console.log(`machine code: ${reasons.join("; ")}`);
