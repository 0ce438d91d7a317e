/** Saving and loading models and whole training states. */
export { stateDigests, weightsSha256 } from "./digest.ts";
export type { CardOptions } from "./folder/card.ts";
export { type Classification, LoadedModel, type LoadModelOptions, loadModel } from "./folder/load.ts";
export { type SaveModelOptions, saveModel } from "./folder/save.ts";
export { loadKeras } from "./keras/load.ts";
export { type Loaded, type LoadOptions, load } from "./load.ts";
export { loadPartial, type PartialReport } from "./partial.ts";
export { type SaveOptions, save, serialize } from "./save.ts";
