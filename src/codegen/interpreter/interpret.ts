/**
 * The definition: evaluates a graph function node by node with each op's `reference`, in float64 rounded to the node's
 * dtype. Slow and obvious; every other target is compared with it.
 */
import { decode } from "../../base/dtype.ts";
import { InternalError, ShapeError } from "../../base/errors.ts";
import { shapeText } from "../../base/shape.ts";
import { type Dimension, evaluateSize, type Size } from "../../base/size.ts";
import { type GraphFunction, rootsOf } from "../../graph/function.ts";
import { type Node, type Region, type TensorType, topologicalOrder } from "../../graph/node.ts";
import type { DenseArray, Op, ReferenceContext } from "../../graph/op.ts";
import type { State } from "../../graph/state.ts";

/** A check that did not hold: the node, the row-major position of the element in it, and the element. */
export interface FailedCheck {
  readonly node: Node;
  readonly position: number;
  readonly value: number;
}

export interface Interpretation {
  readonly results: readonly DenseArray[];
  /** New values in the order of `fn.assignments`: for the caller to commit, unless `failure` is set. */
  readonly assigned: readonly DenseArray[];
  /** The first check that failed; nothing may be committed then, and the results are not to be trusted. */
  readonly failure: FailedCheck | undefined;
}

export interface InterpretOptions {
  /** Values of the dimensions; those of the parameters' shapes are read off the inputs. */
  readonly dimensions?: ReadonlyMap<Dimension, number>;
  /** The committed value of a state; its initial value when left out. */
  readState?(state: State): DenseArray;
}

/**
 * Runs `fn` on `inputs`, which stand in the order of `fn.parameters`.
 *
 * @throws ShapeError when an input is not of its parameter's type
 */
export function interpret(
  fn: GraphFunction,
  inputs: readonly DenseArray[],
  { dimensions, readState = initialValue }: InterpretOptions = {},
): Interpretation {
  const sizes = new Map(dimensions);
  fn.parameters.forEach((parameter, i) => {
    bindDimensions(parameter, inputs[i], sizes);
  });
  const run = new Run(sizes, readState);
  const roots = rootsOf(fn);
  const values = run.evaluate(fn.parameters, inputs, roots);
  return {
    results: values.slice(0, fn.results.length),
    assigned: values.slice(fn.results.length),
    failure: run.failure,
  };
}

/** Reads the value of a dimension off an input, and checks the rest of its type. */
function bindDimensions(parameter: Node, input: DenseArray | undefined, sizes: Map<Dimension, number>): void {
  const name = String(parameter.attributes["name"] ?? "buffer");
  if (input === undefined) throw new InternalError(`interpret: parameter "${name}" has no input`);
  const { shape } = input;
  parameter.shape.forEach((size, axis) => {
    if (typeof size !== "number" && "max" in size && !sizes.has(size)) sizes.set(size, shape[axis]!);
  });
  const expected = parameter.shape.map((size) => evaluateSize(size, sizes));
  const agrees = shape.length === expected.length && expected.every((size, axis) => size === shape[axis]);
  if (agrees && input.dtype === parameter.dtype) return;
  const got = `${input.dtype} ${shapeText(shape)}`;
  throw new ShapeError(
    `interpret: "${name}" is ${parameter.dtype} ${shapeText(parameter.shape)}, got ${got}`,
  );
}

const initialValue = (state: State): DenseArray => {
  if (state.initial === undefined)
    throw new InternalError(`interpret: state "${state.name}" has no initial value: pass readState`);
  return { shape: state.shape, dtype: state.dtype, data: decode(state.dtype, state.initial) };
};

class Run {
  failure: FailedCheck | undefined;
  private readonly sizes: ReadonlyMap<Dimension, number>;
  private readonly readState: (state: State) => DenseArray;

  constructor(sizes: ReadonlyMap<Dimension, number>, readState: (state: State) => DenseArray) {
    this.sizes = sizes;
    this.readState = readState;
  }

  /** Values of `roots` under values of `parameters`; a value is dropped after its last use. */
  evaluate(parameters: readonly Node[], inputs: readonly DenseArray[], roots: readonly Node[]): DenseArray[] {
    const order = topologicalOrder(roots);
    const lastUse = lastUses(order, roots);
    const values = new Map<Node, readonly DenseArray[]>();
    parameters.forEach((parameter, i) => {
      values.set(parameter, [inputs[i]!]);
    });
    for (const node of order) {
      if (!values.has(node)) values.set(node, this.valueOf(node, values));
      for (const input of node.inputs) if (lastUse.get(input) === node) values.delete(input);
    }
    return roots.map((root) => values.get(root)![0]!);
  }

  private valueOf(node: Node, values: ReadonlyMap<Node, readonly DenseArray[]>): readonly DenseArray[] {
    const op: Op = node.op;
    if (op.kind === "output") return [values.get(node.inputs[0]!)![node.attributes["index"] as number]!];
    if (op.kind === "source" && op.source === "state")
      return [this.readState(node.attributes["state"] as State)];
    const inputs = node.inputs.map((input) => values.get(input)![0]!);
    const results = op.reference(inputs, node.attributes as never, this.context(node), node as never);
    requireTypes(node, results, this.outputsOf(node));
    return results;
  }

  private context(node: Node): ReferenceContext {
    return {
      outputs: this.outputsOf(node),
      size: (size) => this.sizeOf(size),
      fail: (at, position, value) => {
        this.failure ??= { node: at, position, value };
      },
      run: (region: Region, inputs) => this.evaluate(region.parameters, inputs, region.results),
    };
  }

  private outputsOf(node: Node) {
    const types: readonly TensorType[] = node.outputs ?? [node];
    return types.map(({ shape, dtype }) => ({ shape: shape.map((size) => this.sizeOf(size)), dtype }));
  }

  private sizeOf(size: Size): number {
    return evaluateSize(size, this.sizes);
  }
}

/** For each node the user after which nobody needs it; roots are needed to the end. */
function lastUses(order: readonly Node[], roots: readonly Node[]): ReadonlyMap<Node, Node> {
  const last = new Map<Node, Node>();
  for (const node of order) for (const input of node.inputs) last.set(input, node);
  for (const root of roots) last.delete(root);
  return last;
}

/** A reference that breaks its own type rule is a bug of its op. */
function requireTypes(node: Node, results: readonly DenseArray[], types: readonly DenseArrayType[]): void {
  types.forEach(({ shape, dtype }, i) => {
    const result = results[i];
    const agrees =
      result?.dtype === dtype &&
      result.shape.length === shape.length &&
      result.shape.every((size, axis) => size === shape[axis]);
    if (!agrees) {
      const got = result ? `${result.dtype} ${shapeText(result.shape)}` : "nothing";
      throw new InternalError(`${node.op.name}: reference gave ${got} for ${dtype} ${shapeText(shape)}`);
    }
  });
}

type DenseArrayType = Pick<DenseArray, "shape" | "dtype">;
