/** Writing models as ONNX files. */

import { packageVersion } from "#platform";
import { ArgumentError, NetwrightError, ShapeError } from "../base/errors.ts";
import type { HostArray } from "../base/host-array.ts";
import { Dimension } from "../base/size.ts";
import { type OnnxArray, type OnnxModel as OnnxContent, writeOnnx } from "../formats/index.ts";
import type { GraphFunction } from "../graph/function.ts";
import { type Node, topologicalOrder } from "../graph/node.ts";
import type { Module } from "../nn/index.ts";
import { parameter } from "../ops/index.ts";
import { isTensor } from "../tensor/handle.ts";
import { nodeOf } from "../tensor/nodes.ts";
import { fromNode, fromValue, type Tensor } from "../tensor/tensor.ts";
import { treeOf } from "../tensor/trace-program.ts";
import { traceCompiled } from "../tensor/tracing.ts";
import { Value } from "../tensor/value.ts";
import { writeNodes } from "./export/graph.ts";
import { withoutUnused } from "./export/unused.ts";
import { describedValue, GraphWriter } from "./export/writer.ts";
import { OnnxModel } from "./model.ts";

export interface SaveOnnxOptions {
  /** What is exported, where it is not the model's `forward` on the inputs in their order. */
  readonly forward?: (...inputs: Tensor[]) => unknown;
  /** Default true: the first axis of the inputs may have any size, where the model's computation allows it. */
  readonly dynamicBatch?: boolean;
  /** Default "model". */
  readonly name?: string;
}

export interface SavedOnnx {
  /** The largest difference between the outputs of the model and of the file, read back, over the largest output. */
  readonly error: number;
  readonly nodes: number;
  /** Why the first axis has the size of the examples; undefined where it may have any. */
  readonly fixedBatch: string | undefined;
}

/** Of the file, and of ONNX's operators in it. */
const [irVersion, opset] = [8, 18];
const largestBatch = 2 ** 20;

/**
 * Writes a model as an ONNX file, which onnxruntime and others run: what `forward` computes of inputs like the examples, in
 * evaluation. Weights keep their names of the state dict. The file is read back, run on the examples and compared.
 *
 * @param inputs tensors in the order of `forward`, or a record of them by the names that the file's inputs get
 * @throws ArgumentError for ops that ONNX has nothing for, naming op and layer
 * @example
 * const model = new Linear(3, 2);
 * const saved = await saveOnnx("linear.onnx", model, { x: zeros([1, 3]) });
 * saved.fixedBatch; // undefined
 * const again = await loadOnnx("linear.onnx");
 * again.forward(ones([5, 3])).shape; // [5, 2]
 */
export async function saveOnnx(
  path: string,
  model: Module,
  inputs: readonly Tensor[] | Readonly<Record<string, Tensor>>,
  {
    forward = (...given) => model.forward(...(given as never[])),
    dynamicBatch = true,
    name = "model",
  }: SaveOnnxOptions = {},
): Promise<SavedOnnx> {
  const examples = Array.isArray(inputs)
    ? (inputs as readonly Tensor[]).map(
        (tensor, i) => [inputs.length === 1 ? "input" : `input_${i}`, tensor] as const,
      )
    : Object.entries(inputs as Readonly<Record<string, Tensor>>);
  if (examples.length === 0 || !examples.every(([, tensor]) => isTensor(tensor)))
    throw new ArgumentError("saveOnnx: needs an example of each input, a tensor");
  return inEvaluation(model, async () => {
    const { traced, fixedBatch } = traceOf(forward, examples, dynamicBatch);
    const content = await contentOf(model, traced, name);
    await writeOnnx(path, content);
    const error = await differenceOf(content, examples, forward);
    return { error, nodes: content.graph.nodes.length, fixedBatch };
  });
}

async function inEvaluation<R>(model: Module, body: () => Promise<R>): Promise<R> {
  const modes = [...model.namedModules().values()].map((module) => [module, module.training] as const);
  model.eval();
  try {
    return await body();
  } finally {
    // Parents stand before their children.
    for (const [module, training] of modes) module.train(training);
  }
}

type Examples = readonly (readonly [name: string, tensor: Tensor])[];

interface Traced extends GraphFunction {
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
}

function traceOf(
  forward: (...inputs: Tensor[]) => unknown,
  examples: Examples,
  dynamicBatch: boolean,
): { traced: Traced; fixedBatch: string | undefined } {
  if (!dynamicBatch) return { traced: trace(forward, examples, undefined), fixedBatch: "it was asked for" };
  try {
    return {
      traced: trace(forward, examples, new Dimension("batch", { min: 1, max: largestBatch })),
      fixedBatch: undefined,
    };
  } catch (error) {
    if (!(error instanceof NetwrightError || error instanceof TypeError)) throw error;
    return { traced: trace(forward, examples, undefined), fixedBatch: error.message.split("\n")[0]! };
  }
}

function trace(
  forward: (...inputs: Tensor[]) => unknown,
  examples: Examples,
  batch: Dimension | undefined,
): Traced {
  const first = examples[0]![1].shape[0] as number | undefined;
  if (batch !== undefined && first === undefined) throw new ShapeError("the first input is a scalar");
  const parameters: Node[] = [];
  const { result } = traceCompiled(() => {
    const given = examples.map(([name, { shape, dtype }]) => {
      const sizes = shape as readonly number[];
      const own = batch !== undefined && sizes[0] === first ? [batch, ...sizes.slice(1)] : sizes;
      const node = parameter({ shape: own, dtype }, name);
      parameters.push(node);
      return fromNode(node);
    });
    return treeOf("saveOnnx", forward(...given), "output");
  });
  const paths = pathsOf(result.template);
  return {
    name: "saveOnnx",
    parameters,
    results: result.nodes,
    assignments: [],
    inputNames: examples.map(([name]) => name),
    outputNames: paths,
  };
}

/** `output`, `logits`, `output_1`: where a tensor stands in what `forward` gave. */
function pathsOf(template: ReturnType<typeof treeOf>["template"]): string[] {
  if (template.kind === "tensor") {
    const short = template.path.replace(/^output\./, "");
    return [short.replaceAll(/[[.\]]+/g, "_").replace(/_$/, "")];
  }
  return template.kind === "constant" ? [] : template.items.flatMap(pathsOf);
}

async function contentOf(model: Module, traced: Traced, name: string): Promise<OnnxContent> {
  const draws = topologicalOrder(traced.results).find(({ op }) => op.name === "randomBits");
  if (draws !== undefined) {
    const { modulePath } = draws.origin;
    throw new ArgumentError(
      `onnx: ${modulePath ? `layer "${modulePath}"` : "the model"} draws random numbers, which cannot be exported; export what is computed in evaluation`,
    );
  }
  const writer = new GraphWriter();
  for (const used of [...traced.inputNames, ...traced.outputNames]) writer.fresh(used);
  const inputs = traced.parameters.map((node, i) => {
    const own = traced.inputNames[i]!;
    writer.setName(node, own);
    node.shape.forEach((size, axis) => {
      if (size instanceof Dimension && !writer.dimensions.has(size))
        writer.dimensions.set(size, { input: own, axis });
    });
    return describedValue(own, node);
  });
  const made = writeNodes(writer, traced.results, await arraysOf(model, traced));
  const outputs = traced.results.map((node, i) => describedValue(traced.outputNames[i]!, node));
  const graph = writer.done(name, inputs, outputs);
  // An output has its own name, also where it is an input or another output.
  const named = outputs.map((output, i) => ({
    op: "Identity",
    domain: "",
    name: `/${output.name}`,
    inputs: [made[i]!],
    outputs: [output.name],
    attributes: new Map(),
  }));
  return {
    irVersion,
    producer: `netwright ${packageVersion("netwright") ?? ""}`.trim(),
    opsets: new Map([["", opset]]),
    metadata: new Map(),
    graph: withoutUnused({ ...graph, nodes: [...graph.nodes, ...named] }),
  };
}

/** The values of states and of tensors from outside, by the nodes that read them. */
async function arraysOf(
  model: Module,
  traced: Traced,
): Promise<Map<Node, { readonly name: string; readonly array: OnnxArray }>> {
  const paths = new Map([...model.stateDict()].map(([path, tensor]) => [stateOf(tensor), path] as const));
  const found = new Map<Node, { readonly name: string; readonly array: OnnxArray }>();
  for (const node of topologicalOrder(traced.results)) {
    if (node.op.kind !== "source") continue;
    if (node.op.source === "state") {
      const state = node.attributes["state"] as object;
      const path = paths.get(state);
      const tensor = path === undefined ? undefined : model.stateDict().get(path);
      if (path !== undefined && tensor !== undefined)
        found.set(node, { name: path, array: await tensor.toHost() });
    } else if (node.op.source === "buffer") {
      const { storage } = node.attributes;
      if (storage instanceof Value)
        found.set(node, { name: "constant", array: await fromValue(storage).toHost() });
    }
  }
  return found;
}

const stateOf = (tensor: Tensor): object => nodeOf(tensor).attributes["state"] as object;

async function differenceOf(
  content: OnnxContent,
  examples: Examples,
  forward: (...inputs: Tensor[]) => unknown,
): Promise<number> {
  const tensors = examples.map(([, tensor]) => tensor);
  const again = new OnnxModel(content).forward(...tensors) as unknown;
  const [own, theirs] = [tensorsOf(forward(...tensors)), tensorsOf(again)];
  let [largest, worst] = [0, 0];
  for (const [i, tensor] of own.entries()) {
    const [mine, other] = [await tensor.toHost(), await theirs[i]!.toHost()] as [HostArray, HostArray];
    mine.data.forEach((value, at) => {
      if (Number.isFinite(value)) largest = Math.max(largest, Math.abs(value));
      const difference = Math.abs(value - other.data[at]!);
      if (Number.isFinite(difference)) worst = Math.max(worst, difference);
    });
  }
  return largest === 0 ? worst : worst / largest;
}

function tensorsOf(value: unknown): Tensor[] {
  if (isTensor(value)) return [value];
  return typeof value === "object" && value !== null ? Object.values(value).flatMap(tensorsOf) : [];
}
