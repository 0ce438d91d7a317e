/** What `#native` is in Node: the device that runs machine code. A page gets `native-none.ts` instead, without the generator. */
export { doctor as nativeReport } from "./x64/doctor.ts";
export { tuneKernels } from "./x64/tune.ts";
export { createNativeDevice } from "./x64-device.ts";
