/**
 * What makes an operand of a contraction from fewer bytes (weights of 8 or 4 bits and their scales, bf16, pixels) is not put into
 * memory: its elements are computed as the contraction loads them, once each.
 *
 * Precondition: clusters are complete. Postcondition: members that were taken in belong to no cluster but stand in
 * `operands` of the one that reads them; nobody else needs them.
 */
import { bytesOf, computeDType } from "../base/dtype.ts";
import { InternalError } from "../base/errors.ts";
import { elementCount, type Shape, stridesOf } from "../base/shape.ts";
import { maxOf, productOf, type Size, sameSize } from "../base/size.ts";
import type { Node } from "../graph/node.ts";
import type { ElementwiseOp } from "../graph/op.ts";
import type { View } from "../graph/view.ts";
import type { KernelBuilder } from "../ir/builder.ts";
import type { Value } from "../ir/kernel.ts";
import type { DotAxes } from "../ops/index.ts";
import { type Access, type Accesses, hasMemory } from "./access.ts";
import { type Cluster, type Fusion, type OperandProducer, readersIn, readsOf } from "./clusters.ts";
import { cutOf, longestChain, slicesOf } from "./contraction/slices.ts";

/** More than this is a map of its own: the loop that packs has few registers to spare. */
const mostCost = 24;

/** Takes producers of operands into the clusters of contractions, where nothing else reads them. */
export function takeProducers(fusion: Fusion, accesses: Accesses, wanted: ReadonlySet<Node>): void {
  const clusters = [...new Set(fusion.owner.values())];
  const readers = readersOf(clusters, accesses);
  for (const cluster of clusters) {
    if (cluster.kind !== "dot") continue;
    const dot = dotOf(cluster);
    const [a, b] = dot.inputs.map((input) => accesses.inMemory(input).root);
    if (a === b) continue;
    for (const which of [0, 1] as const) {
      const { root } = accesses.inMemory(dot.inputs[which]!);
      const producer = fusion.owner.get(root);
      if (producer === undefined || !isTakeable(producer, root, { cluster, accesses, wanted, readers }))
        continue;
      const operand = { root, members: [...producer.members.keys()] };
      if (
        operandForm(dot, which, operand, accesses) === undefined ||
        isSplitTwice(cluster, dot, which, operand, accesses)
      )
        continue;
      for (const member of operand.members) fusion.owner.delete(member);
      cluster.operands = [...(cluster.operands ?? []), operand];
    }
  }
  fusion.forget();
}

export const dotOf = ({ members }: Cluster): Node<DotAxes> =>
  [...members.keys()].find((member) => member.op.kind === "dot") as Node<DotAxes>;

function readersOf(clusters: readonly Cluster[], accesses: Accesses): Map<Node, Set<Node>> {
  const readers = new Map<Node, Set<Node>>();
  for (const cluster of clusters)
    for (const reader of readersIn(cluster))
      for (const { root } of readsOf(reader, accesses))
        readers.set(root, (readers.get(root) ?? new Set()).add(reader));
  return readers;
}

interface Surroundings {
  readonly cluster: Cluster;
  readonly accesses: Accesses;
  readonly wanted: ReadonlySet<Node>;
  readonly readers: ReadonlyMap<Node, ReadonlySet<Node>>;
}

/** Whether all of a cluster makes this one operand, element by element, from fewer bytes. */
function isTakeable(
  producer: Cluster,
  root: Node,
  { cluster, accesses, wanted, readers }: Surroundings,
): boolean {
  const dot = dotOf(cluster);
  const { kind, axes, members, isCommit, carried, carriedBy } = producer;
  const isMap = kind === "loops" && axes === undefined && carried === undefined && carriedBy === undefined;
  if (!isMap || isCommit !== cluster.isCommit || root.dtype !== dot.dtype) return false;
  if (dot.dtype !== "f32" && dot.dtype !== "i32") return false;
  const isOwn = (member: Node): boolean =>
    !wanted.has(member) &&
    [...(readers.get(member) ?? [])].every(
      (reader) => members.has(reader) || (member === root && reader === dot),
    );
  const isElement = (member: Node): boolean =>
    member.op.kind === "elementwise" &&
    member.op.reports !== true &&
    !accesses.copies.has(member) &&
    sameSizes(member.shape, root.shape);
  const list = [...members.keys()];
  if (!list.every((member) => isElement(member) && isOwn(member))) return false;
  const cost = list.reduce((sum, { op }) => sum + (op as ElementwiseOp).cost, 0);
  const bytes = leavesOf({ root, members: list }, accesses).reduce(
    (sum, leaf) => sum + shownElements(leaf.view) * bytesOf(leaf.root.dtype),
    0,
  );
  return cost <= mostCost && bytes < maxOf(elementCount(root.shape)) * bytesOf(root.dtype);
}

const sameSizes = (a: Shape, b: Shape): boolean =>
  a.length === b.length && a.every((size, axis) => sameSize(size, b[axis]!));

/** How many elements a view shows, each counted once where it repeats. */
const shownElements = ({ shape, strides }: View): number =>
  shape.reduce<number>((n, size, axis) => (strides[axis] === 0 ? n : n * maxOf(size)), 1);

/** What the members read from memory, each once; what shows most elements first. */
function leavesOf({ members }: OperandProducer, accesses: Accesses): readonly Access[] {
  const found = new Map<string, Access>();
  const numbers = new Map<Node, number>();
  for (const member of members)
    for (const access of readsOf(member, accesses)) {
      if (members.includes(access.root) || isConstant(access)) continue;
      if (!numbers.has(access.root)) numbers.set(access.root, numbers.size);
      found.set(leafKey(access, numbers), access);
    }
  return [...found.values()].sort((a, b) => shownElements(b.view) - shownElements(a.view));
}

const leafKey = ({ root, view }: Access, numbers: ReadonlyMap<Node, number>): string =>
  `${numbers.get(root)}:${view.strides.map(String)}+${String(view.offset)}`;

const isConstant = ({ root, isCopy }: Access): boolean =>
  root.op.kind === "source" && root.op.source === "constant" && !isCopy;

// ---- the operand's axes ---------------------------------------------------------------------------------------

/** A computed operand: the axes of its depth, and what is read for an element, each through a view of those axes. */
export interface OperandForm {
  /** The depth of the contraction in as many axes as all views need: their product is the depth. */
  readonly depth: Shape;
  readonly leaves: readonly { readonly access: Access; readonly view: View }[];
  /** Nothing is computed: an integer of eight bits is seen as one of 32. */
  readonly isPlain: boolean;
  value(b: KernelBuilder, loaded: readonly Value[]): Value;
}

/** How operand `which` of a contraction is computed; undefined where a view of what is read cannot say it. */
export function operandForm(
  dot: Node<DotAxes>,
  which: 0 | 1,
  producer: OperandProducer,
  accesses: Accesses,
): OperandForm | undefined {
  const { view } = accesses.inMemory(dot.inputs[which]!);
  const { batch, depth } = dot.attributes;
  const { shape } = producer.root;
  const first = which === 0 ? view.shape.length - depth : batch;
  const leaves = leavesOf(producer, accesses);
  const axes = view.shape.map((size, axis) => digitsOf(size, view.strides[axis]!, shape));
  if (!sameSize(view.offset, 0) || !axes.every((list) => list !== undefined)) return undefined;
  if (leaves.length === 0 || leaves.some(({ root }) => !hasMemory(root))) return undefined;
  const steps = axes.slice(first, first + depth);
  const isOneAxis = leaves.every((leaf) =>
    steps.every((own) => mergedStride(own, shape, leaf.view) !== undefined),
  );
  // Where one stride cannot walk the depth it gets the producer's axes, if it is one axis and is cut in the same places.
  const split = (steps[0] ?? []).map((axis) => shape[axis]!);
  if (!isOneAxis && (depth !== 1 || !cutsAlike(split))) return undefined;
  const walked = isOneAxis
    ? axes
    : [...axes.slice(0, first), ...steps[0]!.map((axis) => [axis]), ...axes.slice(first + 1)];
  const sizes = isOneAxis
    ? view.shape
    : [...view.shape.slice(0, first), ...split, ...view.shape.slice(first + 1)];
  const end = first + (isOneAxis ? depth : split.length);
  const views = leaves.map((leaf) => throughAxes(leaf.view, walked, { shape, sizes }));
  const isOwn = (axis: number): boolean => axis < first || axis >= end;
  if (!views.every((found) => found !== undefined) || !variesMost(views[0]!, views, isOwn)) return undefined;
  return {
    depth: sizes.slice(first, end),
    leaves: leaves.map((access, i) => ({ access, view: views[i]! })),
    isPlain: isWidening(producer, leaves),
    value: (b, loaded) => elementValue(b, producer, { accesses, leaves, loaded }),
  };
}

function isWidening({ members: [only, ...others] }: OperandProducer, leaves: readonly Access[]): boolean {
  if (only?.op.name !== "cast" || others.length > 0 || only.dtype !== "i32") return false;
  return leaves.length === 1 && (leaves[0]!.root.dtype === "i8" || leaves[0]!.root.dtype === "u8");
}

/** A view of `shape` as one of `sizes`, each of which walks some of its axes; undefined where one stride cannot. */
function throughAxes(
  view: View,
  walked: readonly (readonly number[])[],
  { shape, sizes }: { readonly shape: Shape; readonly sizes: Shape },
): View | undefined {
  const strides = walked.map((axes) => mergedStride(axes, shape, view));
  if (!strides.every((stride) => stride !== undefined)) return undefined;
  return { shape: sizes, strides, offset: view.offset };
}

/** Whether the first view moves along each of these axes along which any does: where it repeats a panel is made once. */
const variesMost = (first: View, views: readonly View[], isOwn: (axis: number) => boolean): boolean =>
  first.strides.every(
    (stride, axis) => stride !== 0 || !isOwn(axis) || views.every((view) => view.strides[axis] === 0),
  );

/**
 * The axes of a contiguous `shape` that an axis of `size` and `stride` over its elements walks, outer first: none where it stands
 * still; undefined where it walks them in another way.
 */
function digitsOf(size: Size, stride: Size, shape: Shape): readonly number[] | undefined {
  if (size === 1 || stride === 0) return [];
  const strides = stridesOf(shape);
  let axis = shape.length - 1;
  while (axis >= 0 && (shape[axis] === 1 || !sameSize(strides[axis]!, stride))) axis--;
  const axes: number[] = [];
  for (let walked: Size = 1; axis >= 0; axis--) {
    if (shape[axis] === 1) continue;
    axes.unshift(axis);
    walked = productOf([walked, shape[axis]!]);
    if (sameSize(walked, size)) return axes;
    if (maxOf(walked) > maxOf(size)) return undefined;
  }
  return undefined;
}

/** The one stride at which a view walks these axes as if they were one; undefined where it does not. */
function mergedStride(axes: readonly number[], shape: Shape, { strides }: View): Size | undefined {
  const last = axes.at(-1);
  if (last === undefined) return 0;
  let expected = strides[last]!;
  for (let i = axes.length - 1; i >= 0; i--) {
    const axis = axes[i]!;
    if (!sameSize(strides[axis]!, expected)) return undefined;
    expected = productOf([expected, shape[axis]!]);
  }
  return strides[last]!;
}

/** Whether sums over these axes are cut into the same slices as over the one axis that they make. */
function cutsAlike(sizes: Shape): boolean {
  const whole = elementCount(sizes);
  if (maxOf(whole) <= longestChain) return true;
  const cut = cutOf(sizes);
  const [first] = sizes;
  if (typeof whole !== "number" || typeof first !== "number" || cut?.axis !== 0) return false;
  return slicesOf(first, cut.longest).length * (whole / first) === slicesOf(whole).length;
}

/** Whether the other operand is computed already and has the depth in other axes. */
function isSplitTwice(
  { operands = [] }: Cluster,
  dot: Node<DotAxes>,
  which: 0 | 1,
  producer: OperandProducer,
  accesses: Accesses,
): boolean {
  if (which === 0 || operands.length === 0) return false;
  const [a, b] = [operandForm(dot, 0, operands[0]!, accesses)!, operandForm(dot, which, producer, accesses)!];
  return !sameSizes(a.depth, b.depth);
}

// ---- its value ------------------------------------------------------------------------------------------------

function elementValue(
  b: KernelBuilder,
  { root, members }: OperandProducer,
  {
    accesses,
    leaves,
    loaded,
  }: {
    readonly accesses: Accesses;
    readonly leaves: readonly Access[];
    readonly loaded: readonly Value[];
  },
): Value {
  const numbers = new Map<Node, number>();
  for (const leaf of leaves) if (!numbers.has(leaf.root)) numbers.set(leaf.root, numbers.size);
  const keys = leaves.map((leaf) => leafKey(leaf, numbers));
  const known = new Map<Node, Value>();
  const operand = (access: Access): Value => {
    if (members.includes(access.root)) return value(access.root);
    if (isConstant(access))
      return b.constant(computeDType(access.root.dtype), (access.root.attributes as { value: number }).value);
    return loaded[keys.indexOf(leafKey(access, numbers))]!;
  };
  const value = (member: Node): Value => {
    const found = known.get(member);
    if (found !== undefined) return found;
    const op = member.op as ElementwiseOp;
    const operands = readsOf(member, accesses).map(operand);
    if (operands.includes(undefined as unknown as Value))
      throw new InternalError(`${op.name} reads what was not loaded`);
    const made = b.convert(
      computeDType(member.dtype),
      op.expand(b, operands, member.attributes as never, member),
    );
    known.set(member, made);
    return made;
  };
  return value(root);
}
