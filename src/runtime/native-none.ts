/** What `#native` is in a page, where machine code cannot run: nothing, so that no bundle carries its generator. */
import { PlatformError } from "../base/errors.ts";
import type { createNativeDevice as Node } from "./x64-device.ts";

export const createNativeDevice: typeof Node = () => {
  throw new PlatformError('machine code cannot run in a web page; use the target "wasm"');
};
