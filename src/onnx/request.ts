/** One node of an ONNX graph while the graph is built: its inputs as nodes, its attributes, its errors. */
import type { DType } from "../base/dtype.ts";
import { DTypeError, FormatError, NetwrightError } from "../base/errors.ts";
import type { HostArray } from "../base/host-array.ts";
import { broadcastShapes, type Shape } from "../base/shape.ts";
import type { OnnxArray, OnnxAttribute, OnnxGraph, OnnxNode } from "../formats/index.ts";
import { elementTypes } from "../formats/onnx/types.ts";
import type { Node } from "../graph/node.ts";
import { broadcastTo } from "../ops/index.ts";
import { constantOf } from "./constant.ts";

/** A list of arrays, which some graphs pass from node to node. */
export class Sequence {
  readonly nodes: readonly Node[];
  constructor(nodes: readonly Node[]) {
    this.nodes = nodes;
  }
}

/** What a name of a graph stands for. */
export type Value = Node | Sequence;

/** What the graph around tells a row. */
export interface Surroundings {
  readonly opset: number;
  value(name: string): Value;
  /** Numbers of a value that does not depend on inputs or weights; undefined where it does. */
  constant(name: string): HostArray | undefined;
  /** A graph in an attribute, with these for its inputs; it sees the values around it. */
  run(graph: OnnxGraph, inputs: readonly Value[]): readonly Value[];
}

/** What a row of the table of operators gives: a value for each output, undefined for those that it does not compute. */
export type Row = (request: Request) => Value | readonly (Value | undefined)[];
export type Rows = Readonly<Record<string, Row>>;

interface AttributeValues {
  float: number;
  integer: number;
  string: string;
  floats: readonly number[];
  integers: readonly number[];
  strings: readonly string[];
  tensor: OnnxArray;
  graph: OnnxGraph;
  /** Of functions, whose nodes have what their caller gives. */
  reference: string;
}

export class Request {
  readonly onnx: OnnxNode;
  readonly opset: number;
  private readonly around: Surroundings;

  constructor(onnx: OnnxNode, around: Surroundings) {
    this.onnx = onnx;
    this.around = around;
    this.opset = around.opset;
  }

  get inputCount(): number {
    return this.onnx.inputs.length;
  }

  has(index: number): boolean {
    return (this.onnx.inputs[index] ?? "") !== "";
  }

  /** Whether anything may read the output. */
  wants(output: number): boolean {
    return (this.onnx.outputs[output] ?? "") !== "";
  }

  /** An input that must be there. */
  input(index: number): Node {
    return this.single(this.value(index));
  }

  /** The same where it may be a sequence. */
  value(index: number): Value {
    if (!this.has(index)) throw this.fail(`input ${index} is missing`);
    return this.around.value(this.onnx.inputs[index]!);
  }

  single(value: Value): Node {
    if (value instanceof Sequence) throw this.fail("a sequence stands where one array is expected");
    return value;
  }

  sequence(index: number): Sequence {
    const value = this.value(index);
    if (value instanceof Sequence) return value;
    throw this.fail(`input ${index} is no sequence`);
  }

  optional(index: number): Node | undefined {
    return this.has(index) ? this.input(index) : undefined;
  }

  inputs(): Node[] {
    return this.onnx.inputs.map((_, i) => this.input(i));
  }

  /** The numbers of an input that decides about shapes: it may not depend on the model's inputs. */
  constant(index: number): HostArray {
    const found = this.maybeConstant(index);
    if (found !== undefined) return found;
    throw this.fail(
      `input ${index}, "${this.onnx.inputs[index]}", is computed from the model's inputs or weights, and shapes depend on it; ` +
        "export the model with fixed sizes, or fold its constants first",
    );
  }

  maybeConstant(index: number): HostArray | undefined {
    if (!this.has(index)) throw this.fail(`input ${index} is missing`);
    return this.around.constant(this.onnx.inputs[index]!);
  }

  /** Numbers of a node that depends on nothing else. */
  fixed(node: Node): HostArray | undefined {
    return constantOf(node);
  }

  /** The same as plain numbers, undefined where the input is left out. */
  numbers(index: number): number[] | undefined {
    return this.has(index) ? numbersOf(this.constant(index)) : undefined;
  }

  /** Numbers that older sets of operators have as an attribute, newer ones as an input. */
  numbersOr(attribute: string, index: number): number[] | undefined {
    return this.numbers(index) ?? this.integers(attribute)?.slice();
  }

  float(name: string, otherwise: number): number {
    return this.attribute(name, "float") ?? otherwise;
  }

  integer(name: string, otherwise: number): number {
    return this.attribute(name, "integer") ?? otherwise;
  }

  flag(name: string, otherwise = false): boolean {
    return this.integer(name, otherwise ? 1 : 0) !== 0;
  }

  string(name: string, otherwise: string): string {
    return this.attribute(name, "string") ?? otherwise;
  }

  integers(name: string): readonly number[] | undefined {
    return this.attribute(name, "integers");
  }

  floats(name: string): readonly number[] | undefined {
    return this.attribute(name, "floats");
  }

  strings(name: string): readonly string[] | undefined {
    return this.attribute(name, "strings");
  }

  tensor(name: string): OnnxArray | undefined {
    return this.attribute(name, "tensor");
  }

  /** The dtype of an attribute that is a number of an element type. */
  dtype(name: string, otherwise: DType): DType {
    const number = this.integer(name, -1);
    if (number === -1) return otherwise;
    const type = elementTypes.get(number);
    if (type?.dtype === undefined)
      throw this.fail(`${name} is the element type ${type?.name ?? number}, which is not read`);
    return type.dtype;
  }

  /** Runs the graph of an attribute. */
  run(attribute: string, inputs: readonly Value[]): readonly Value[] {
    return this.around.run(this.graph(attribute), inputs);
  }

  graph(attribute: string): OnnxGraph {
    const graph = this.attribute(attribute, "graph");
    if (graph === undefined) throw this.fail(`the graph "${attribute}" is missing`);
    return graph;
  }

  /** An axis counted from either end. */
  axis(axis: number, rank: number): number {
    if (axis >= -rank && axis < rank) return axis < 0 ? axis + rank : axis;
    throw this.fail(`axis ${axis} is outside of ${rank} axes`);
  }

  /** `"Conv" node "/features/0/Conv"`, for errors. */
  get name(): string {
    const { op, domain, name, outputs } = this.onnx;
    const called = name === "" ? `that gives "${outputs[0] ?? ""}"` : `"${name}"`;
    return `${domain === "" ? "" : `${domain}.`}${op} node ${called}`;
  }

  fail(problem: string): FormatError {
    return new FormatError(`onnx: ${this.name}: ${problem}`);
  }

  /** What a row does, with the node's name in front of errors. */
  located<R>(body: () => R): R {
    try {
      return body();
    } catch (error) {
      if (error instanceof NetwrightError && !error.message.includes(" node "))
        error.message = `onnx: ${this.name}: ${error.message}`;
      if (error instanceof NetwrightError) throw error;
      // Lists of attributes that are too short for the shapes, say: no row counts each of them.
      const problem = `what it has does not fit together (${(error as Error).message}); the model is probably damaged`;
      throw new FormatError(`onnx: ${this.name}: ${problem}`, { cause: error });
    }
  }

  private attribute<Kind extends OnnxAttribute["kind"]>(
    name: string,
    kind: Kind,
  ): AttributeValues[Kind] | undefined {
    const found = this.onnx.attributes.get(name);
    if (found === undefined) return undefined;
    if (found.kind === kind) return found.value as AttributeValues[Kind];
    throw this.fail(`attribute "${name}" is of kind ${found.kind}, not ${kind}`);
  }
}

/** Elements as plain numbers; 16-bit floats do not decide about shapes. */
export function numbersOf(array: HostArray): number[] {
  if (array.dtype === "f16" || array.dtype === "bf16")
    throw new DTypeError(`onnx: numbers that decide about shapes are ${array.dtype}; use float or int64`);
  return Array.from(array.data);
}

/** Nodes of one shape, by NumPy's rule. */
export function broadcast(...nodes: readonly Node[]): Node[] {
  const shape = nodes
    .map((node) => node.shape)
    .reduce((all, own) => broadcastShapes(all, own, "broadcast"), [] as Shape);
  return nodes.map((node) => broadcastTo(node, shape));
}

/** Sizes that must be numbers now. */
export function known(request: Request, shape: Shape): readonly number[] {
  if (shape.every((size) => typeof size === "number")) return shape as readonly number[];
  throw request.fail("a size that it needs is known only when the program runs; give inputs of fixed sizes");
}
