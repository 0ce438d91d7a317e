/** A function of one element, for many at once. */
import { ArgumentError, ShapeError } from "../base/errors.ts";
import { normalizeAxis, shapeText } from "../base/shape.ts";
import type { IsAny } from "../base/shape-types.ts";
import { type Size, sizesAgree } from "../base/size.ts";
import type { Node } from "../graph/node.ts";
import type { Mapped } from "../graph/op.ts";
import { Mapping, permute, readState, traceRegion } from "../ops/index.ts";
import { located } from "./located.ts";
import { build } from "./signature.ts";
import { fromNode, type Tensor } from "./tensor.ts";
import { treeOf } from "./trace-program.ts";

export interface VectorizeOptions {
  /** The axis of each argument's tensors along which the elements lie; null: the same for all. 0 for all when left out. */
  readonly inAxes?: number | readonly (number | null)[];
  /** Where the axis stands in results; 0 when left out. */
  readonly outAxes?: number;
}

/** The same tree, its tensors of any shape: types do not follow an axis that comes and goes. */
export type AnyShapes<T> =
  IsAny<T> extends true
    ? any
    : T extends Tensor<any, infer D>
      ? Tensor<any, D>
      : T extends (...args: never[]) => unknown
        ? T
        : T extends object
          ? { [K in keyof T]: AnyShapes<T[K]> }
          : T;

/**
 * The function that does for each element along an axis what `fn` does for one: its graph is built once, for one element, and
 * each op is then mapped over the axis, so a matrix times a vector becomes a product of matrices. Gradients inside `fn` are
 * those of each element; what `fn` closes over is the same for all.
 *
 * @throws ShapeError when arguments disagree in the axis's size
 * @throws ArgumentError when no argument is mapped, or `fn` assigns a state (draws from a layer's random stream, updates
 * running statistics), which has no value that is one for all
 * @example
 * const weight = tensor([2, 3]);
 * const loss = (x: Tensor, y: Tensor) => x.mul(weight).sum().sub(y).square();
 * const perSample = vectorize((x: Tensor, y: Tensor) => grad(loss(x, y), weight));
 * perSample(tensor([[1, 0], [1, 1]]), tensor([1, 1])); // [[2, 0], [8, 8]]
 */
export function vectorize<A extends readonly unknown[], R>(
  fn: (...args: A) => R,
  options: VectorizeOptions = {},
): (...args: AnyShapes<A> extends infer V extends readonly unknown[] ? V : never) => AnyShapes<R> {
  const own = fn as unknown as (...args: unknown[]) => unknown;
  return (...args) => located(() => run(own, args, options)) as AnyShapes<R>;
}

function run(
  fn: (...args: unknown[]) => unknown,
  args: readonly unknown[],
  { inAxes = 0, outAxes = 0 }: VectorizeOptions,
): unknown {
  if (Array.isArray(inAxes) && inAxes.length !== args.length)
    throw new ArgumentError(`vectorize: inAxes has ${inAxes.length} entries for ${args.length} arguments`);
  const trees = args.map((arg, i) => treeOf("vectorize", arg, `argument ${i}`));
  const given = trees.flatMap(({ nodes }, i): Mapped[] => {
    const axis = typeof inAxes === "number" ? inAxes : (inAxes as readonly (number | null)[])[i]!;
    return nodes.map((node) =>
      axis === null
        ? { node, isMapped: false }
        : { node: toFront(node, axis, `argument ${i}`), isMapped: true },
    );
  });
  const size = sizeOf(given);
  const types = given.map(({ node, isMapped }) =>
    isMapped ? { ...node, shape: node.shape.slice(1) } : node,
  );
  let result: ReturnType<typeof treeOf> | undefined;
  const traced = traceRegion(types, (parameters) => {
    let next = 0;
    const own = trees.map(({ template }) => build(template, () => fromNode(parameters[next++]!)));
    result = treeOf("vectorize", fn(...own));
    return result.nodes;
  });
  const [assigned] = traced.assigned.keys();
  if (assigned !== undefined)
    throw new ArgumentError(
      `vectorize: the function assigns state "${assigned.name}", which would need a value for each element; return the new ` +
        "value instead, and draw random numbers from keys that are passed in: random.split(key, count)",
    );
  const same = (node: Node): Mapped => ({ node, isMapped: false });
  const known = new Map<Node, Mapped>([
    ...traced.given.map((node, i) => [node, given[i]!] as const),
    ...[...traced.captured].map(([outer, inner]) => [inner, same(outer)] as const),
    ...[...traced.reads].map(([state, inner]) => [inner, same(readState(state))] as const),
  ]);
  const mapping = new Mapping(size, known);
  const nodes = mapping.of(traced.results).map((found) => toPlace(mapping.whole(found), outAxes));
  let next = 0;
  return build(result!.template, () => fromNode(nodes[next++]!));
}

/** x with one axis in front. */
function toFront(x: Node, axis: number, what: string): Node {
  const rank = x.shape.length;
  if (rank === 0)
    throw new ShapeError(
      `vectorize: ${what} is a scalar, so it has no axis to map over; give null for it in inAxes`,
    );
  const at = normalizeAxis(axis, rank, "vectorize");
  const rest = x.shape.map((_, i) => i).filter((i) => i !== at);
  return permute(x, [at, ...rest]);
}

/** x with its first axis elsewhere. */
function toPlace(x: Node, axis: number): Node {
  const at = normalizeAxis(axis, x.shape.length, "vectorize");
  const order = x.shape.slice(1).map((_, i) => i + 1);
  order.splice(at, 0, 0);
  return permute(x, order);
}

function sizeOf(given: readonly Mapped[]): Size {
  const mapped = given.filter(({ isMapped }) => isMapped).map(({ node }) => node);
  const [first] = mapped;
  if (first === undefined) throw new ArgumentError("vectorize: no argument has a tensor to map over");
  for (const { shape } of mapped)
    if (!sizesAgree(shape[0]!, first.shape[0]!)) {
      const shapes = `${shapeText(first.shape)} and ${shapeText(shape)}`;
      throw new ShapeError(
        `vectorize: arguments differ in the size of the mapped axis, here first: ${shapes}`,
      );
    }
  return first.shape[0]!;
}
