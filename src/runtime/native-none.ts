/** What `#native` is in a page, where machine code cannot run: nothing, so that no bundle carries its generator. */
import { PlatformError } from "../base/errors.ts";
import type {
  createNativeDevice as NodeDevice,
  nativeReport as NodeReport,
  tuneKernels as NodeTuning,
} from "./native.ts";

export const createNativeDevice: typeof NodeDevice = () => {
  throw new PlatformError('machine code cannot run in a web page; use the target "wasm"');
};

export const nativeReport: typeof NodeReport = () => ({
  isa: undefined,
  reasons: ["machine code cannot run in a web page"],
  features: undefined,
});

export const tuneKernels: typeof NodeTuning = () => {
  throw new PlatformError("machine code cannot run in a web page: there is nothing to tune");
};
