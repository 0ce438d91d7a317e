/** Reading ONNX files: the graph and its arrays, as plain data. */
import { joinPath, parentFolder, readFile } from "#platform";
import { FormatError } from "../../base/errors.ts";
import { Message } from "./protobuf.ts";
import {
  type ExternalPlace,
  type ExternalReader,
  externalPlace,
  narrowed,
  noExternal,
  parseTensor,
} from "./tensor.ts";
import type {
  OnnxArray,
  OnnxAttribute,
  OnnxFunction,
  OnnxGraph,
  OnnxModel,
  OnnxNode,
  OnnxValue,
} from "./types.ts";

/** Graphs in attributes of nodes of graphs …: no real model has more levels. */
const deepestGraph = 16;

/**
 * What an ONNX file says: nodes, attributes and arrays. Arrays that the model keeps in files beside it are read, too. `loadOnnx` makes
 * a model of it that runs.
 *
 * @throws FileError when it cannot be read, FormatError when it is not what it claims to be
 * @example
 * const { graph, opsets } = await readOnnx("model.onnx");
 * graph.nodes.map(({ op }) => op); // ["MatMul", "Add", "Relu"]
 * opsets.get(""); // 18
 */
export async function readOnnx(path: string): Promise<OnnxModel> {
  const bytes = await readFile(path);
  const files = new Map<string, Uint8Array>();
  for (const location of filesBeside(new Message(path, bytes, "the model")))
    files.set(location, await readFile(joinPath(parentFolder(path), location)));
  return parseOnnx(bytes, path, (place) => stretch(path, files.get(place.location)!, place));
}

function stretch(path: string, file: Uint8Array, place: ExternalPlace): Uint8Array {
  const { location, offset, length } = place;
  const end = length === undefined ? file.length : offset + length;
  if (end <= file.length) return file.subarray(offset, end);
  throw new FormatError(
    `"${path}": bytes ${offset} … ${end} of "${location}" are outside its ${file.length}; it is cut short: copy it again`,
  );
}

/** Names of the files that arrays of a model are in. */
function filesBeside(model: Message): ReadonlySet<string> {
  const inGraphs = model.messages(7, "the graph").flatMap((graph) => filesOfGraph(graph, 0));
  const functions = model.messages(25, "a function");
  return new Set([...inGraphs, ...functions.flatMap((one) => filesOfNodes(one.messages(7, "a node"), 0))]);
}

const filesOf = (arrays: readonly Message[]): string[] =>
  arrays.flatMap((array) => externalPlace(array)?.location ?? []);

const filesOfGraph = (graph: Message, depth: number): string[] => [
  ...filesOf(graph.messages(5, "a tensor")),
  ...filesOfNodes(graph.messages(1, "a node"), depth),
];

function filesOfNodes(nodes: readonly Message[], depth: number): string[] {
  const attributes = nodes.flatMap((node) => node.messages(5, "an attribute"));
  return attributes.flatMap((attribute) => [
    ...filesOf(attribute.messages(5, "a tensor")),
    // Deeper ones are refused where they are read.
    ...(depth > deepestGraph
      ? []
      : attribute.messages(6, "a graph").flatMap((graph) => filesOfGraph(graph, depth + 1))),
  ]);
}

/**
 * The same of bytes in memory.
 *
 * @throws FormatError when they are not what they claim to be, or keep arrays in files beside them
 * @example
 * const { graph } = await readOnnx("model.onnx");
 * const bytes = serializeOnnx({ irVersion: 8, producer: "", opsets: new Map([["", 18]]), metadata: new Map(), graph });
 * parseOnnx(bytes).graph.inputs[0]!.shape; // ["batch", 3]
 */
export function parseOnnx(
  bytes: Uint8Array,
  file = "model.onnx",
  external: ExternalReader = noExternal(file),
): OnnxModel {
  const message = new Message(file, bytes, "the model");
  const graph = message.message(7, "the graph");
  if (graph === undefined) throw message.fail("it holds no graph; it is probably of another format");
  const functions = message
    .messages(25, "a function")
    .map((one) => parseFunction(one.named(`function ${JSON.stringify(one.string(1))}`), external));
  return {
    irVersion: Number(message.integer(1)),
    producer: message.string(2),
    opsets: opsetsOf(message, 8),
    metadata: new Map(message.messages(14, "metadata").map((entry) => [entry.string(1), entry.string(2)])),
    graph: parseGraph(graph, external, 0),
    ...(functions.length > 0 && { functions }),
  };
}

const opsetsOf = (message: Message, field: number): ReadonlyMap<string, number> =>
  new Map(
    message
      .messages(field, "a set of operators")
      .map((set) => [domainOf(set.string(1)), Number(set.integer(2))]),
  );

const parseFunction = (message: Message, external: ExternalReader): OnnxFunction => ({
  domain: domainOf(message.string(10)),
  name: message.string(1),
  overload: message.string(13),
  inputs: message.strings(4),
  outputs: message.strings(5),
  attributes: message.strings(6),
  defaults: attributesOf(message.messages(11, "an attribute"), external, 0),
  nodes: message.messages(7, "a node").map((node) => parseNode(node, external, 0)),
  opsets: opsetsOf(message, 9),
});

const domainOf = (domain: string): string => (domain === "ai.onnx" ? "" : domain);

function parseGraph(message: Message, external: ExternalReader, depth: number): OnnxGraph {
  if (depth > deepestGraph) throw message.fail(`graphs stand in each other ${depth} levels deep`);
  if (message.has(15)) throw message.fail("sparse initializers are not read; store them as dense ones");
  const initializers = new Map<string, OnnxArray>();
  for (const tensor of message.messages(5, "a tensor")) {
    const name = tensor.string(8);
    if (initializers.has(name)) throw message.fail(`it has the tensor ${JSON.stringify(name)} twice`);
    initializers.set(name, parseTensor(tensor.named(`tensor ${JSON.stringify(name)}`), external));
  }
  return {
    name: message.string(2),
    nodes: message.messages(1, "a node").map((node) => parseNode(node, external, depth)),
    initializers,
    inputs: message.messages(11, "an input").map(parseValue),
    outputs: message.messages(12, "an output").map(parseValue),
  };
}

function parseNode(message: Message, external: ExternalReader, depth: number): OnnxNode {
  const attributes = message.messages(5, `an attribute of node ${JSON.stringify(message.string(3))}`);
  return {
    op: message.string(4),
    domain: domainOf(message.string(7)),
    name: message.string(3),
    ...(message.has(8) && { overload: message.string(8) }),
    inputs: message.strings(1),
    outputs: message.strings(2),
    attributes: attributesOf(attributes, external, depth),
  };
}

const attributesOf = (
  messages: readonly Message[],
  external: ExternalReader,
  depth: number,
): ReadonlyMap<string, OnnxAttribute> =>
  new Map(messages.map((one) => [one.string(1), parseAttribute(one, external, depth)]));

function parseAttribute(message: Message, external: ExternalReader, depth: number): OnnxAttribute {
  const type = Number(message.integer(20));
  const reference = message.string(21);
  if (reference !== "") return { kind: "reference", value: reference, type };
  switch (type) {
    case 1:
      return { kind: "float", value: message.floats(2, 4).at(-1) ?? 0 };
    case 2:
      return { kind: "integer", value: narrowed(message.integer(3)) };
    case 3:
      return { kind: "string", value: message.string(4) };
    case 4: {
      const tensor = message.message(5, `the tensor of attribute ${JSON.stringify(message.string(1))}`);
      if (tensor === undefined) throw message.fail("its tensor is missing");
      return { kind: "tensor", value: parseTensor(tensor, external) };
    }
    case 5: {
      const graph = message.message(6, "a graph in an attribute");
      if (graph === undefined) throw message.fail("its graph is missing");
      return { kind: "graph", value: parseGraph(graph, external, depth + 1) };
    }
    case 6:
      return { kind: "floats", value: [...message.floats(7, 4)] };
    case 7:
      return { kind: "integers", value: message.integers(8).map(narrowed) };
    case 8:
      return { kind: "strings", value: message.strings(9) };
    default:
      throw message.fail(
        `attribute ${JSON.stringify(message.string(1))} has the type ${type}, which is not read`,
      );
  }
}

function parseValue(message: Message): OnnxValue {
  const name = message.string(1);
  const tensor = message.message(2, `the type of ${JSON.stringify(name)}`)?.message(1, "a tensor's type");
  const shape = tensor?.message(2, "a shape");
  return {
    name,
    elementType: Number(tensor?.integer(1) ?? 0n),
    shape: shape?.messages(1, "a size").map((size, axis) => {
      if (size.has(1)) return Number(size.integer(1));
      return size.string(2) || `axis${axis}`;
    }),
  };
}
