/** An ONNX graph while it is written: nodes with names, arrays, sizes that are known late. */
import { type DType, encode } from "../../base/dtype.ts";
import { ArgumentError } from "../../base/errors.ts";
import type { Shape } from "../../base/shape.ts";
import { Dimension, type Size } from "../../base/size.ts";
import type { OnnxArray, OnnxAttribute, OnnxGraph, OnnxNode, OnnxValue } from "../../formats/index.ts";
import { elementTypeOf } from "../../formats/onnx/types.ts";
import { int64 } from "../../formats/onnx/writer.ts";
import type { Node } from "../../graph/node.ts";

/** Attributes of a node: plain numbers are integers, `{ float }` are floats. */
export type Given = Readonly<
  Record<string, number | string | readonly number[] | { readonly float: number } | OnnxGraph>
>;

export class GraphWriter {
  private readonly nodes: OnnxNode[] = [];
  private readonly initializers = new Map<string, OnnxArray>();
  private readonly names = new Map<Node, string>();
  private readonly known = new Map<string, string>();
  private readonly around: GraphWriter | undefined;
  /** Names are given once in all graphs. */
  private readonly taken: Set<string>;
  /** The path of the layer that nodes belong to. */
  place = "";
  /** Where the value of a dimension is found: an input and its axis. */
  readonly dimensions: Map<Dimension, { readonly input: string; readonly axis: number }>;

  constructor(around?: GraphWriter) {
    this.around = around;
    this.taken = around?.taken ?? new Set();
    this.dimensions = around?.dimensions ?? new Map();
  }

  /** The name of a node's value, here or around; undefined where it has none yet. */
  find(node: Node): string | undefined {
    return this.names.get(node) ?? this.around?.find(node);
  }

  nameOf(node: Node): string {
    const found = this.find(node);
    if (found === undefined) throw new ArgumentError(`onnx: ${node.op.name} has no value yet`);
    return found;
  }

  setName(node: Node, name: string): void {
    this.names.set(node, name);
  }

  /** `wanted`, or with a number where it is taken. */
  fresh(wanted: string): string {
    let name = wanted;
    for (let i = 1; this.taken.has(name); i++) name = `${wanted}_${i}`;
    this.taken.add(name);
    return name;
  }

  /** A node with one output, whose name it gives. */
  add(op: string, inputs: readonly string[], attributes: Given = {}): string {
    return this.addMany(op, inputs, 1, attributes)[0]!;
  }

  addMany(op: string, inputs: readonly string[], outputs: number, attributes: Given = {}): string[] {
    const name = this.fresh(`${this.place === "" ? "" : `/${this.place.replaceAll(".", "/")}`}/${op}`);
    const made = Array.from({ length: outputs }, (_, i) => this.fresh(`${name}_output_${i}`));
    const written = new Map(Object.entries(attributes).map(([key, value]) => [key, attributeOf(value)]));
    this.nodes.push({ op, domain: "", name, inputs, outputs: made, attributes: written });
    return made;
  }

  /** An array of the graph under a name of its own. */
  array(array: OnnxArray, wanted = "constant"): string {
    const name = this.fresh(wanted);
    this.initializers.set(name, array);
    return name;
  }

  /** A scalar; the same one once. */
  scalar(value: number, dtype: DType): string {
    return this.once(`${dtype} ${Object.is(value, -0) ? "-0" : value}`, () =>
      this.array(scalarArray(value, dtype)),
    );
  }

  /** 64-bit integers: axes, sizes, steps. */
  integers(values: readonly number[], shape?: readonly number[]): string {
    return this.once(`int64 ${values.join()} ${shape?.join()}`, () => this.array(int64(values, shape)));
  }

  /** Sizes as a vector of 64-bit integers, worked out when the model runs where they are known late. */
  sizes(sizes: readonly Size[]): string {
    if (sizes.every((size) => typeof size === "number")) return this.integers(sizes as number[]);
    return this.once(`sizes ${sizes.map(String).join()}`, () =>
      this.add(
        "Concat",
        sizes.map((size) => this.size(size)),
        { axis: 0 },
      ),
    );
  }

  /** One size as a vector of one 64-bit integer. */
  size(size: Size): string {
    if (typeof size === "number") return this.integers([size]);
    return this.once(`size ${size}`, () => {
      if (size instanceof Dimension) return this.dimension(size);
      const terms = size.terms.map(({ coefficient, dimensions }) =>
        dimensions
          .map((dimension) => this.size(dimension))
          .reduce((product, factor) => this.add("Mul", [product, factor]), this.integers([coefficient])),
      );
      return terms.reduce((sum, term) => this.add("Add", [sum, term]));
    });
  }

  private dimension(dimension: Dimension): string {
    const found = this.dimensions.get(dimension);
    if (found === undefined) throw new ArgumentError(`onnx: the size ${dimension} is of no input`);
    return this.add("Shape", [found.input], { start: found.axis, end: found.axis + 1 });
  }

  done(name: string, inputs: readonly OnnxValue[], outputs: readonly OnnxValue[]): OnnxGraph {
    return { name, nodes: this.nodes, initializers: this.initializers, inputs, outputs };
  }

  private once(key: string, make: () => string): string {
    const found = this.known.get(key) ?? this.around?.known.get(key);
    if (found !== undefined) return found;
    const made = make();
    this.known.set(key, made);
    return made;
  }
}

function attributeOf(value: Given[string]): OnnxAttribute {
  if (typeof value === "number") return { kind: "integer", value };
  if (typeof value === "string") return { kind: "string", value };
  if (Array.isArray(value)) return { kind: "integers", value };
  if ("float" in (value as object)) return { kind: "float", value: (value as { float: number }).float };
  return { kind: "graph", value: value as OnnxGraph };
}

function scalarArray(value: number, dtype: DType): OnnxArray {
  return { dtype, shape: [], data: encode(dtype, Float64Array.of(value)) as OnnxArray["data"] };
}

/** What a value is, as graphs say of inputs and outputs. */
export const describedValue = (
  name: string,
  { dtype, shape }: { dtype: DType; shape: Shape },
): OnnxValue => ({
  name,
  elementType: elementTypeOf[dtype],
  shape: shape.map((size) => (typeof size === "number" ? size : String(size).replaceAll(" ", ""))),
});
