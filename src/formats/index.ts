/** File formats: bytes to named arrays and back. */
export type { HostArray, NamedTensors } from "../base/host-array.ts";
export type { MappedArray, MappedFile } from "../base/mapped-array.ts";
export type { GgufValue } from "./gguf/header.ts";
export { type GgufFile, openGguf } from "./gguf/reader.ts";
export { type GgufArray, type GgufInput, writeGguf } from "./gguf/writer.ts";
export * from "./idx.ts";
export { type KerasContent, type KerasLayerConfig, readKeras } from "./keras/reader.ts";
export { parseOnnx, readOnnx } from "./onnx/reader.ts";
export type {
  OnnxArray,
  OnnxAttribute,
  OnnxFunction,
  OnnxGraph,
  OnnxModel,
  OnnxNode,
  OnnxValue,
} from "./onnx/types.ts";
export { serializeOnnx, writeOnnx } from "./onnx/writer.ts";
export {
  type OpenOptions,
  openSafetensors,
  parseSafetensors,
  readSafetensors,
  type SafetensorsContent,
  type SafetensorsFile,
} from "./safetensors/reader.ts";
export {
  type SafetensorsWriteOptions,
  serializeSafetensors,
  writeSafetensors,
} from "./safetensors/writer.ts";
export { readTorch, type TorchContent, type TorchOptions } from "./torch/reader.ts";
