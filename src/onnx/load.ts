/** Opening ONNX files. */
import { readOnnx } from "../formats/index.ts";
import { OnnxModel } from "./model.ts";

/**
 * The model in an ONNX file, as a module: ready to run, to be trained further where its numbers are floats, and to be saved. Versions
 * 7 to 25 of ONNX's operators are read.
 *
 * @throws FileError, FormatError when the file is not what it claims to be; FormatError that names operator and node for what is
 * not supported
 * @example
 * const model = await loadOnnx("model.onnx");
 * model.inputs.map(({ name, shape }) => [name, shape]); // [["x", ["batch", 3]]]
 * [...model.namedParameters().keys()]; // ["weight", "bias"]
 * model.forward(ones([2, 3])).shape; // [2, 2]
 */
export async function loadOnnx(path: string): Promise<OnnxModel> {
  return new OnnxModel(await readOnnx(path));
}
