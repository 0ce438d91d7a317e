/** ONNX's graphs as modules, and modules as ONNX's graphs. */
export { loadOnnx } from "./load.ts";
export { OnnxModel } from "./model.ts";
export { type SavedOnnx, type SaveOnnxOptions, saveOnnx } from "./save.ts";
