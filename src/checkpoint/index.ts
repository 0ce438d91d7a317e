/** Saving and loading models and whole training states. */
export { weightsSha256 } from "./digest.ts";
export { type Loaded, type LoadOptions, load } from "./load.ts";
export { type SaveOptions, save, serialize } from "./save.ts";
