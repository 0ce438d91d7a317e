/**
 * The structure of a function as text that is the same in every process: two functions of equal texts compile to the same
 * program. States, dimensions and arrays are numbered in the order in which they are met; arrays stand there by their values.
 */
import type { DType, TypedArray } from "../base/dtype.ts";
import { Dimension, dimensionsOf, type Size, SizeExpression } from "../base/size.ts";
import type { GraphFunction } from "./function.ts";
import { rootsOf } from "./function.ts";
import { type Node, type Region, type TensorType, topologicalOrder } from "./node.ts";
import { State } from "./state.ts";

export interface FunctionStructure {
  readonly text: string;
  /** In the order of their numbers in the text. */
  readonly states: readonly State[];
  /** The arrays of its constants. */
  readonly arrays: readonly object[];
  /** All nodes, those of regions too. */
  readonly nodes: readonly Node[];
}

/** undefined: something in it has a meaning that text does not tell, such as a JavaScript function, or is too large. */
export function structureOf(fn: GraphFunction): FunctionStructure | undefined {
  const writer = new StructureWriter();
  try {
    writer.writeFunction(fn);
  } catch (error) {
    if (error === untold) return undefined;
    throw error;
  }
  return writer.structure();
}

const untold = Symbol("not told by text");
/** Of one constant: larger ones would make the text larger than what it saves. */
const mostArrayBytes = 2 ** 18;

class StructureWriter {
  private readonly parts: string[] = [];
  private readonly nodes = new Map<Node, number>();
  private readonly states = new Map<State, number>();
  private readonly arrays = new Map<object, number>();
  private readonly dimensions = new Map<Dimension, number>();

  structure(): FunctionStructure {
    const [text, states] = [this.parts.join(""), [...this.states.keys()]];
    return { text, states, arrays: [...this.arrays.keys()], nodes: [...this.nodes.keys()] };
  }

  writeFunction(fn: GraphFunction): void {
    this.parts.push(JSON.stringify(fn.name));
    this.writeBlock(fn.parameters, rootsOf(fn));
    for (const [state] of fn.assignments) this.parts.push(this.stateText(state), ",");
  }

  /** Parameters by their types, nodes by what they do to nodes before them, results by number. */
  private writeBlock(parameters: readonly Node[], results: readonly Node[]): void {
    this.parts.push("(");
    for (const node of parameters) {
      this.nodes.set(node, this.nodes.size);
      this.parts.push(this.typeText(node), ",");
    }
    this.parts.push(")\n");
    for (const node of topologicalOrder(results)) if (!this.nodes.has(node)) this.writeNode(node);
    this.parts.push("=", results.map((node) => this.nodes.get(node)).join(","), "\n");
  }

  private writeNode(node: Node): void {
    const { op, inputs, attributes } = node;
    // A parameter or value that the function was not given.
    if (op.kind === "source" && (op.source === "parameter" || op.source === "buffer")) throw untold;
    this.parts.push(op.name, "(");
    for (const input of inputs) this.parts.push(String(this.nodes.get(input)), ",");
    this.parts.push(")");
    // Instances there say how cotangents flow: this graph has its gradients already. Or they tell nodes apart, as numbers do.
    const isTold = op.gradientInputs === undefined && !(op.kind === "movement" && op.isBarrier);
    if (isTold) for (const name in attributes) this.writeAttribute(name, attributes[name]);
    this.parts.push("\n");
    this.nodes.set(node, this.nodes.size);
  }

  private writeAttribute(name: string, value: unknown): void {
    if (value === undefined) return;
    this.parts.push(name, ":");
    this.write(value);
    this.parts.push(" ");
  }

  private write(value: unknown): void {
    if (typeof value === "number") this.parts.push(Object.is(value, -0) ? "-0" : String(value));
    else if (typeof value === "string") this.parts.push(JSON.stringify(value));
    else if (typeof value === "boolean" || value === null) this.parts.push(String(value));
    else if (typeof value === "object") this.writeObject(value);
    else throw untold;
  }

  private writeObject(value: object): void {
    if (Array.isArray(value)) {
      this.parts.push("[");
      for (const item of value) {
        this.write(item);
        this.parts.push(",");
      }
      this.parts.push("]");
    } else if (value instanceof Dimension || value instanceof SizeExpression)
      this.parts.push(this.sizeText(value));
    else if (value instanceof State) this.parts.push(this.stateText(value));
    else if (isRegion(value)) this.writeBlock(value.parameters, value.results);
    else if (Object.getPrototypeOf(value) !== Object.prototype) throw untold;
    else if (isArray(value)) this.writeArray(value);
    else {
      this.parts.push("{");
      for (const [name, part] of Object.entries(value)) this.writeAttribute(name, part);
      this.parts.push("}");
    }
  }

  private writeArray(array: ArrayAttribute): void {
    const known = this.arrays.get(array);
    if (known !== undefined) return void this.parts.push(`array${known}`);
    this.arrays.set(array, this.arrays.size);
    const { buffer, byteOffset, byteLength } = array.data;
    if (byteLength > mostArrayBytes) throw untold;
    this.parts.push(this.typeText(array), "#", bytesText(new Uint8Array(buffer, byteOffset, byteLength)));
  }

  private stateText(state: State): string {
    const known = this.states.get(state);
    if (known !== undefined) return `state${known}`;
    this.states.set(state, this.states.size);
    return `state ${this.typeText(state)}`;
  }

  private typeText({ dtype, shape }: TensorType): string {
    return `${dtype}[${shape.map((size) => this.sizeText(size)).join(",")}]`;
  }

  private sizeText(size: Size): string {
    if (typeof size === "number") return String(size);
    for (const dimension of dimensionsOf(size)) this.writeDimension(dimension);
    if (size instanceof Dimension) return `d${this.dimensions.get(size)}`;
    return size.terms
      .map(({ coefficient, dimensions }) =>
        [coefficient, ...dimensions.map((dimension) => `d${this.dimensions.get(dimension)}`)].join("*"),
      )
      .join("+");
  }

  private writeDimension(dimension: Dimension): void {
    if (this.dimensions.has(dimension)) return;
    const { name, min, max } = dimension;
    this.parts.push(`<d${this.dimensions.size} ${JSON.stringify(name)} ${min}…${max}>`);
    this.dimensions.set(dimension, this.dimensions.size);
  }
}

interface ArrayAttribute extends TensorType {
  readonly dtype: DType;
  readonly data: TypedArray;
}

const isRegion = (value: object): value is Region => "parameters" in value && "results" in value;
const isArray = (value: object): value is ArrayAttribute =>
  "data" in value && ArrayBuffer.isView((value as { data: unknown }).data);

/** Characters of 8 bits each. */
function bytesText(bytes: Uint8Array): string {
  const pieces: string[] = [];
  for (let i = 0; i < bytes.length; i += 8192)
    pieces.push(String.fromCharCode(...bytes.subarray(i, i + 8192)));
  return pieces.join("");
}
