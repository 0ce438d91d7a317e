/** Writing ONNX files. */

import { writeFileAtomic } from "#platform";
import { ArgumentError } from "../../base/errors.ts";
import { bytesView } from "../../base/host-array.ts";
import { joinBytes } from "../../base/join-bytes.ts";
import { MessageWriter } from "./protobuf.ts";
import {
  elementTypeOf,
  type OnnxArray,
  type OnnxAttribute,
  type OnnxFunction,
  type OnnxGraph,
  type OnnxModel,
  type OnnxNode,
  type OnnxValue,
} from "./types.ts";

/** Readers keep lengths in 31 bits. */
const largestFile = 2 ** 31 - 1;

/**
 * Writes an ONNX file: the old one stays until the new one is complete. `saveOnnx` makes the graph of a model.
 *
 * @throws FileError when it cannot be written, ArgumentError for more than 2 GiB
 * @example
 * const { graph, ...model } = await readOnnx("model.onnx");
 * await writeOnnx("renamed.onnx", { ...model, graph: { ...graph, name: "renamed" } });
 */
export async function writeOnnx(path: string, model: OnnxModel): Promise<void> {
  await writeFileAtomic(path, serialized(model).pieces);
}

/**
 * The bytes of an ONNX file: what was read is written as it was.
 *
 * @throws ArgumentError for more than 2 GiB
 * @example serializeOnnx(await readOnnx("model.onnx")).length; // 215
 */
export function serializeOnnx(model: OnnxModel): Uint8Array {
  return joinBytes(serialized(model).pieces);
}

function serialized({ irVersion, producer, opsets, metadata, graph, functions }: OnnxModel): MessageWriter {
  const message = new MessageWriter().integer(1, irVersion).string(2, producer);
  message.message(7, (inner) => writeGraph(inner, graph));
  writeOpsets(message, 8, opsets);
  for (const [key, value] of metadata) message.message(14, (entry) => entry.string(1, key).string(2, value));
  for (const one of functions ?? []) message.message(25, (inner) => writeFunction(inner, one));
  if (message.byteLength > largestFile)
    throw new ArgumentError(
      `onnx: the model takes ${message.byteLength} bytes, and a file holds ${largestFile}; save it in half precision`,
    );
  return message;
}

function writeOpsets(message: MessageWriter, field: number, opsets: ReadonlyMap<string, number>): void {
  for (const [domain, version] of opsets)
    message.message(field, (set) => set.string(1, domain).integer(2, version));
}

function writeFunction(message: MessageWriter, made: OnnxFunction): void {
  message.string(1, made.name);
  for (const name of made.inputs) message.string(4, name);
  for (const name of made.outputs) message.string(5, name);
  for (const name of made.attributes) message.string(6, name);
  for (const node of made.nodes) message.message(7, (inner) => writeNode(inner, node));
  writeOpsets(message, 9, made.opsets);
  message.string(10, made.domain);
  for (const [key, attribute] of made.defaults)
    message.message(11, (inner) => writeAttribute(inner.string(1, key), attribute));
  if (made.overload !== "") message.string(13, made.overload);
}

function writeGraph(message: MessageWriter, { name, nodes, initializers, inputs, outputs }: OnnxGraph): void {
  for (const node of nodes) message.message(1, (inner) => writeNode(inner, node));
  message.string(2, name);
  for (const [key, array] of initializers) message.message(5, (inner) => writeTensor(inner, array, key));
  for (const value of inputs) message.message(11, (inner) => writeValue(inner, value));
  for (const value of outputs) message.message(12, (inner) => writeValue(inner, value));
}

function writeNode(
  message: MessageWriter,
  { op, domain, name, overload, inputs, outputs, attributes }: OnnxNode,
): void {
  for (const input of inputs) message.string(1, input);
  for (const output of outputs) message.string(2, output);
  message.string(3, name).string(4, op);
  for (const [key, attribute] of attributes)
    message.message(5, (inner) => writeAttribute(inner.string(1, key), attribute));
  if (domain !== "") message.string(7, domain);
  if (overload !== undefined) message.string(8, overload);
}

function writeAttribute(message: MessageWriter, attribute: OnnxAttribute): void {
  const { kind, value } = attribute;
  switch (kind) {
    case "float":
      return void message.float(2, value).integer(20, 1);
    case "integer":
      return void message.integer(3, value).integer(20, 2);
    case "string":
      return void message.string(4, value).integer(20, 3);
    case "tensor":
      return void message.message(5, (inner) => writeTensor(inner, value, "")).integer(20, 4);
    case "graph":
      return void message.message(6, (inner) => writeGraph(inner, value)).integer(20, 5);
    case "floats":
      for (const number of value) message.float(7, number);
      return void message.integer(20, 6);
    case "integers":
      return void message.integers(8, value).integer(20, 7);
    case "strings":
      for (const text of value) message.string(9, text);
      return void message.integer(20, 8);
    case "reference":
      return void message.integer(20, attribute.type).string(21, value);
    default:
      kind satisfies never;
  }
}

/** Integers that are 64 bits wide in files. */
export const int64 = (values: readonly number[], shape: readonly number[] = [values.length]): OnnxArray => ({
  dtype: "i32",
  shape,
  data: Int32Array.from(values),
  isInt64: true,
});

function writeTensor(message: MessageWriter, array: OnnxArray, name: string): void {
  const isWide = array.isInt64 === true;
  message.integers(1, array.shape).integer(2, isWide ? 7 : elementTypeOf[array.dtype]);
  if (name !== "") message.string(8, name);
  message.bytes(9, isWide ? bytesView(BigInt64Array.from(array.data, BigInt)) : bytesView(array.data));
}

function writeValue(message: MessageWriter, { name, elementType, shape }: OnnxValue): void {
  message.string(1, name).message(2, (type) =>
    type.message(1, (tensor) => {
      tensor.integer(1, elementType);
      if (shape === undefined) return;
      tensor.message(2, (sizes) => {
        for (const size of shape)
          sizes.message(1, (entry) =>
            typeof size === "number" ? entry.integer(1, size) : entry.string(2, size),
          );
      });
    }),
  );
}
