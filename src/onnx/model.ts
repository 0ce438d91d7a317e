/** An ONNX graph as a module. */
import { isFloat } from "../base/dtype.ts";
import { ArgumentError, FormatError, nearestName, ShapeError } from "../base/errors.ts";
import type { HostArray } from "../base/host-array.ts";
import { shapeText } from "../base/shape.ts";
import type { OnnxModel as OnnxContent, OnnxGraph, OnnxNode, OnnxValue } from "../formats/index.ts";
import { elementTypes } from "../formats/onnx/types.ts";
import { Module, Parameter } from "../nn/index.ts";
import { array as arrayOf } from "../ops/index.ts";
import { isTensor } from "../tensor/handle.ts";
import { StateTensor, type Tensor } from "../tensor/index.ts";
import { located } from "../tensor/located.ts";
import { nodeOf } from "../tensor/nodes.ts";
import { fromNode } from "../tensor/tensor.ts";
import { constantOf } from "./constant.ts";
import { withoutFunctions } from "./functions.ts";
import { Request, Sequence, type Surroundings, type Value } from "./request.ts";
import { constantInputs, rows, statisticInputs } from "./rows/index.ts";

/** Sets of operators that the table knows. */
const [oldest, newest] = [7, 25];

/**
 * A model read from an ONNX file: its float initializers are parameters (running statistics buffers), under their names in the file,
 * and `forward` builds its graph of Netwright's ops. So it is compiled, trained and saved like any module. Dropout and batch
 * normalization do what the file says of evaluation, in both modes.
 *
 * `forward` takes tensors in the order of `inputs`, or one record of them by name, and gives the output, or a record by name where there
 * are several (`outputs` has their order: JavaScript puts names that are whole numbers first).
 *
 * @throws FormatError for operators that are not supported, naming operator and node
 * @example
 * const model = new OnnxModel(await readOnnx("model.onnx"));
 * model.forward({ x: ones([1, 3]) }); // [[3, 3]]
 */
export class OnnxModel extends Module {
  /** Names, element types and sizes of what `forward` takes. */
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
  #content: OnnxContent;
  #states = new Map<string, StateTensor>();

  /** @throws FormatError for operators that are not supported, naming node and operator; for a graph with values out of nowhere */
  constructor(content: OnnxContent) {
    super();
    this.#content = withoutFunctions(content);
    const { graph, opsets } = this.#content;
    requireOpset(opsets);
    requireSupported(graph);
    requireOrder(graph, new Set());
    const states = statesOf(graph);
    for (const [name, kind] of states) {
      const array = graph.initializers.get(name)!;
      const made = kind === "parameter" ? new Parameter(array, { name }) : stateOf(name, array);
      this.#states.set(name, made);
    }
    this.inputs = graph.inputs.filter(({ name }) => !graph.initializers.has(name));
    this.outputs = graph.outputs;
  }

  protected override fields(): Iterable<readonly [string, unknown]> {
    return this.#states;
  }

  forward(...given: readonly Tensor[] | readonly [Readonly<Record<string, Tensor>>]): any {
    const { graph, opsets } = this.#content;
    return located(() => {
      const named = this.#named(given);
      const scope = new Scope(graph, opsets.get("") ?? newest, undefined);
      for (const [name, state] of this.#states) scope.values.set(name, nodeOf(state));
      for (const [name, tensor] of named) scope.values.set(name, nodeOf(tensor));
      const results = scope.run().map((value, i) => {
        if (!(value instanceof Sequence)) return value;
        throw new FormatError(
          `onnx: the output "${graph.outputs[i]!.name}" is a sequence of arrays, which is not supported; export the model with one array, or with an output for each`,
        );
      });
      if (results.length === 1) return fromNode(results[0]!);
      return Object.fromEntries(this.outputs.map(({ name }, i) => [name, fromNode(results[i]!)]));
    });
  }

  #named(given: readonly unknown[]): Map<string, Tensor> {
    const [first] = given;
    const isRecord = given.length === 1 && typeof first === "object" && first !== null && !isTensor(first);
    const found = new Map<string, Tensor>();
    const names = this.inputs.map(({ name }) => name);
    if (isRecord) {
      for (const name of Object.keys(first)) {
        if (names.includes(name)) continue;
        const near = nearestName(name, names);
        throw new ArgumentError(
          `onnx: there is no input "${name}"${near ? `; did you mean "${near}"?` : `; they are ${names.join(", ")}`}`,
        );
      }
    } else if (given.length !== names.length)
      throw new ArgumentError(
        `onnx: the model takes ${names.length} inputs (${names.join(", ")}), got ${given.length}`,
      );
    this.inputs.forEach((input, i) => {
      const value = isRecord ? (first as Record<string, unknown>)[input.name] : given[i];
      if (!isTensor(value)) throw new ArgumentError(`onnx: input "${input.name}" must be a tensor`);
      requireFit(input, value);
      found.set(input.name, value);
    });
    return found;
  }

  protected override describe(): string {
    const side = (values: readonly OnnxValue[]): string =>
      values.map(({ name, shape }) => `${name} (${shape?.join(", ") ?? "…"})`).join(", ");
    return `${side(this.inputs)} → ${side(this.outputs)}`;
  }
}

const stateOf = (name: string, { dtype, shape, data }: HostArray): StateTensor =>
  new StateTensor({ name, shape, dtype, initial: data });

function requireFit({ name, elementType, shape }: OnnxValue, value: Tensor): void {
  const dtype = elementTypes.get(elementType)?.dtype;
  if (dtype !== undefined && value.dtype !== dtype)
    throw new ArgumentError(`onnx: input "${name}" is ${dtype}, got ${value.dtype}; cast it first`);
  const own = value.shape as readonly unknown[];
  if (shape === undefined) return;
  const fits =
    shape.length === own.length &&
    shape.every(
      (size, axis) => typeof size === "string" || typeof own[axis] !== "number" || size === own[axis],
    );
  if (!fits)
    throw new ShapeError(
      `onnx: input "${name}" has shape (${shape.join(", ")}), got ${shapeText(value.shape)}`,
    );
}

function requireOpset(opsets: ReadonlyMap<string, number>): void {
  const version = opsets.get("") ?? newest;
  if (version >= oldest && version <= newest) return;
  throw new FormatError(
    `onnx: the model uses version ${version} of ONNX's operators; ${oldest} to ${newest} are read: export it with opset ${Math.min(Math.max(version, oldest), newest)}`,
  );
}

/** Graphs in attributes, too. */
function* allNodes(graph: OnnxGraph): Iterable<OnnxNode> {
  for (const node of graph.nodes) {
    yield node;
    for (const attribute of node.attributes.values())
      if (attribute.kind === "graph") yield* allNodes(attribute.value);
  }
}

function requireSupported(graph: OnnxGraph): void {
  const missing = [...allNodes(graph)].filter(({ op, domain }) => domain !== "" || !Object.hasOwn(rows, op));
  const [first] = missing;
  if (first === undefined) return;
  const called = (node: OnnxNode): string => `${node.domain === "" ? "" : `${node.domain}.`}${node.op}`;
  const where = first.name === "" ? `that gives "${first.outputs[0]}"` : `"${first.name}"`;
  const others = [...new Set(missing.map(called))].filter((op) => op !== called(first));
  const more = others.length === 0 ? "" : ` (nor are ${others.join(", ")})`;
  throw new FormatError(
    `onnx: the operator ${called(first)} of node ${where} is not supported${more}; supported are ${Object.keys(rows).sort().join(", ")}`,
  );
}

/** Each value is there before it is read, and made once. */
function requireOrder(graph: OnnxGraph, around: ReadonlySet<string>): void {
  const made = new Set([...around, ...graph.initializers.keys(), ...graph.inputs.map(({ name }) => name)]);
  const requireMade = (name: string, reader: string): void => {
    if (name === "" || made.has(name)) return;
    throw new FormatError(
      `onnx: ${reader} reads "${name}", which nothing gives before it; the graph is damaged or not sorted`,
    );
  };
  for (const node of graph.nodes) {
    for (const name of node.inputs) requireMade(name, `${node.op} node "${node.name || node.outputs[0]}"`);
    for (const attribute of node.attributes.values())
      if (attribute.kind === "graph") requireOrder(attribute.value, made);
    for (const name of node.outputs) {
      if (name !== "" && made.has(name))
        throw new FormatError(`onnx: "${name}" is given twice; the graph is damaged`);
      made.add(name);
    }
  }
  for (const { name } of graph.outputs) requireMade(name, "the model's output");
}

/** Float initializers that are weights: those that some node uses as a number of its computation, and that are no scalars. */
function statesOf(graph: OnnxGraph): ReadonlyMap<string, "parameter" | "buffer"> {
  const found = new Map<string, "parameter" | "buffer">();
  for (const { op, inputs } of allNodes(graph)) {
    inputs.forEach((name, i) => {
      const array = graph.initializers.get(name);
      if (array === undefined || !isFloat(array.dtype) || array.shape.length === 0) return;
      if (constantInputs[op]?.includes(i)) return;
      if (statisticInputs[op]?.includes(i)) found.set(name, "buffer");
      else if (!found.has(name)) found.set(name, "parameter");
    });
  }
  return new Map(
    [...graph.initializers.keys()].flatMap((name) => (found.has(name) ? [[name, found.get(name)!]] : [])),
  );
}

/** A graph while it is built. */
class Scope {
  readonly values = new Map<string, Value>();
  private readonly graph: OnnxGraph;
  private readonly opset: number;
  private readonly around: Scope | undefined;

  constructor(graph: OnnxGraph, opset: number, around: Scope | undefined) {
    this.graph = graph;
    this.opset = opset;
    this.around = around;
  }

  run(): Value[] {
    const surroundings: Surroundings = {
      opset: this.opset,
      value: (name) => this.value(name),
      constant: (name) => this.constant(name),
      run: (graph, inputs) => {
        const inner = new Scope(graph, this.opset, this);
        graph.inputs.forEach(({ name }, i) => {
          inner.values.set(name, inputs[i]!);
        });
        return inner.run();
      },
    };
    for (const onnx of this.graph.nodes) {
      const request = new Request(onnx, surroundings);
      const made = request.located(() => rows[onnx.op]!(request));
      const outputs = Array.isArray(made) ? (made as readonly (Value | undefined)[]) : [made as Value];
      onnx.outputs.forEach((name, i) => {
        const value = outputs[i];
        if (name === "") return;
        if (value === undefined) throw request.fail(`output ${i}, "${name}", is not supported`);
        this.values.set(name, value);
      });
    }
    return this.graph.outputs.map(({ name }) => this.value(name));
  }

  private value(name: string): Value {
    const found = this.values.get(name);
    if (found !== undefined) return found;
    const array = this.graph.initializers.get(name);
    if (array === undefined) {
      if (this.around !== undefined) return this.around.value(name);
      throw new FormatError(`onnx: nothing gives "${name}"`);
    }
    const made = arrayOf(array);
    this.values.set(name, made);
    return made;
  }

  private constant(name: string): HostArray | undefined {
    const array = this.graph.initializers.get(name);
    if (array !== undefined) return array;
    if (!this.values.has(name) && this.around !== undefined) return this.around.constant(name);
    const value = this.value(name);
    return value instanceof Sequence ? undefined : constantOf(value);
  }
}
