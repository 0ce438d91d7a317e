/** A contraction with the elementwise members of its cluster fused into the store of each tile. */
import { hasMachineCode } from "#platform";
import { computeDType, decode } from "../base/dtype.ts";
import { InternalError } from "../base/errors.ts";
import type { HostArray } from "../base/host-array.ts";
import type { Shape } from "../base/shape.ts";
import { maxOf, multiplySizes, productOf, type Size, sameSize } from "../base/size.ts";
import type { Node } from "../graph/node.ts";
import type { View } from "../graph/view.ts";
import { viewAddress } from "../ir/affine.ts";
import type { KernelBuilder } from "../ir/builder.ts";
import type { Affine, Kernel, Value } from "../ir/kernel.ts";
import type { ProgramBuffer } from "../ir/program.ts";
import type { DotAxes } from "../ops/index.ts";
import type { Access, Accesses } from "./access.ts";
import { type Cluster, embed, memberViews, positionView } from "./clusters.ts";
import { lowerContraction } from "./contraction/lower.ts";
import type { ContractionOperand } from "./contraction/problem.ts";
import { collapseDomain } from "./domain.ts";
import { MemberEvaluator } from "./evaluate-member.ts";
import { KernelContext, type KernelHost, type Location } from "./kernel-context.ts";
import { type OperandForm, operandForm } from "./operand-producers.ts";

export interface DotRequest {
  readonly cluster: Cluster;
  readonly accesses: Accesses;
  readonly outputs: ReadonlyMap<Node, Location>;
  readonly host: KernelHost;
}

export function lowerDot(request: DotRequest): { kernel: Kernel; buffers: readonly ProgramBuffer[] }[] {
  const { cluster, accesses, outputs, host } = request;
  const members = [...cluster.members.keys()].sort((a, b) => a.id - b.id);
  const dot = members.find((member) => member.op.kind === "dot") as Node<DotAxes>;
  const context = new KernelContext(host);
  const operands = operandsOf(cluster, dot, accesses);
  const over = resultAxes(cluster, dot, { accesses, operands });
  const whole = positionView("full", cluster.domain, undefined);
  const position = over.collapse(whole);

  const epilogue = (builder: KernelBuilder, accumulated: Value, place: readonly Affine[]): void => {
    const scope = new MemberEvaluator({
      builder,
      context,
      accesses,
      levelOf: (root) => cluster.members.get(root),
      viewOf: (view) => over.collapse(embed(view, "full", cluster.domain, undefined)!),
      positionOf: () => position,
      stored: () => undefined,
      rowValue: () => {
        throw new InternalError("a contraction's tail has no rows");
      },
    }).scope(place, 0, new Map([[dot, accumulated]]));
    const values = [...outputs.keys()].map((member) => scope.value(member));
    [...outputs.values()].forEach((location, i) => {
      const target = context.elementOf(location, viewAddress(position, place), "store");
      builder.store(target.buffer, target.address, values[i]!);
    });
  };

  const [a, b] = operands.map(({ leaves, value }, which) => {
    const [first, ...others] = leaves.map(({ access, view }) =>
      sourceOf({ ...access, view: over.operand(view, which) }, context),
    );
    return { ...first!, ...(value !== undefined && { produced: { others, value } }) };
  });
  const {
    kernels,
    scratch,
    aliases = [],
  } = lowerContraction({
    name: nameOf(dot, members),
    a: a!,
    b: b!,
    shape: over.sizes,
    axes: hasMachineCode ? { ...over.axes, keepsRows: cluster.keepsRows } : over.axes,
    dtype: computeDType(dot.dtype),
    target: host.target,
    parameters: host.loops,
    epilogue,
  });
  for (const buffer of scratch) {
    context.adopt(buffer, host.newBuffer(buffer.name, buffer.dtype, maxOf(buffer.elements), buffer.scope));
  }
  for (const { words, bytes } of aliases) context.alias(words, bytes);
  return kernels.map((kernel) => ({
    kernel,
    buffers: kernel.buffers.map((buffer) => context.memoryOf(buffer)),
  }));
}

/** An operand as it is read: one access, or those from which its elements are computed. */
interface Operand {
  readonly leaves: OperandForm["leaves"];
  readonly value?: OperandForm["value"];
}

/** Both operands, their depth in the same axes: in more than one where what one is computed from needs it. */
function operandsOf(cluster: Cluster, dot: Node<DotAxes>, accesses: Accesses): readonly Operand[] {
  const forms = ([0, 1] as const).map((which) => {
    const { root } = accesses.inMemory(dot.inputs[which]!);
    const producer = cluster.operands?.find((operand) => operand.root === root);
    return producer && operandForm(dot, which, producer, accesses);
  });
  const depth = forms.find((form) => form !== undefined)?.depth;
  return forms.map((form, which) => {
    // A load converts integers of eight bits by itself.
    if (form?.isPlain) return { leaves: form.leaves };
    if (form !== undefined) return form;
    const access = accesses.inMemory(dot.inputs[which]!);
    const at = which === 0 ? access.view.shape.length - dot.attributes.depth : dot.attributes.batch;
    return {
      leaves: [{ access, view: depth === undefined ? access.view : splitAxis(access.view, at, depth) }],
    };
  });
}

/** A view with the axis at `at` in these sizes, if it is not yet. */
function splitAxis(view: View, at: number, sizes: Shape): View {
  if (sizes.length === 1) return view;
  const whole = sizes.every((size, i) => sameSize(size, view.shape[at + i] ?? -1));
  if (whole) return view;
  const strides = sizes.map((_, i) => multiplySizes(view.strides[at]!, productOf(sizes.slice(i + 1))));
  const put = <T>(list: readonly T[], items: readonly T[]): T[] => [
    ...list.slice(0, at),
    ...items,
    ...list.slice(at + 1),
  ];
  return { ...view, shape: put(view.shape, sizes), strides: put(view.strides, strides) };
}

interface ResultAxes {
  /** Of the result, collapsed. */
  readonly sizes: Shape;
  readonly axes: DotAxes;
  /** A view over the cluster's domain. */
  collapse(view: View): View;
  /** The view of the first or second operand. */
  operand(view: View, which: number): View;
}

/**
 * The result's axes without those of size 1, and neighbours as one where both operands and all that the tail touches walk them
 * as one: one long axis of rows is cut into better tiles than two short ones.
 */
function resultAxes(
  cluster: Cluster,
  dot: Node<DotAxes>,
  { accesses, operands }: { readonly accesses: Accesses; readonly operands: readonly Operand[] },
): ResultAxes {
  const { batch } = dot.attributes;
  const [as, bs] = operands.map(({ leaves }) => leaves.map(({ view }) => view)) as [View[], View[]];
  const [a] = as as [View, ...View[]];
  const depth = a.shape.length - (dot.inputs[0]!.shape.length - dot.attributes.depth);
  const present = [...dot.shape.keys()].filter((axis) => dot.shape[axis] !== 1);
  const firstColumn = a.shape.length - depth;
  const groupOf = (axis: number): number => (axis < batch ? 0 : axis < firstColumn ? 1 : 2);
  const columnOf = (axis: number): number => batch + depth + axis - firstColumn;
  /** An operand over the result: strides of 0 along axes that it does not have. */
  const over = (strides: (axis: number) => Size): View => ({
    shape: cluster.domain,
    strides: present.map(strides),
    offset: 0,
  });
  const left = ({ strides }: View): View => over((axis) => (axis < firstColumn ? strides[axis]! : 0));
  const right = ({ strides }: View): View =>
    over((axis) => (axis < batch ? strides[axis]! : axis < firstColumn ? 0 : strides[columnOf(axis)]!));
  const tail = [...cluster.members].flatMap(([member, level]) =>
    member === dot ? [] : memberViews(member, level, cluster, accesses)!,
  );
  const position = positionView("full", cluster.domain, undefined);
  const domain = collapseDomain(
    cluster.domain,
    [],
    [...as.map(left), ...bs.map(right), position, ...tail],
    (axis) => groupOf(present[axis]!),
  );
  const counts = [0, 1, 2].map((group) => domain.groups.filter((own) => own === group).length);
  const depthView = (view: View, from: number): View => ({
    shape: view.shape.slice(from, from + depth),
    strides: view.strides.slice(from, from + depth),
    offset: 0,
  });
  /** Collapsed axes of an operand, its depth put at `at`. */
  const joined = (own: View, at: number, steps: View, offset: Size): View => ({
    shape: [...own.shape.slice(0, at), ...steps.shape, ...own.shape.slice(at)],
    strides: [...own.strides.slice(0, at), ...steps.strides, ...own.strides.slice(at)],
    offset,
  });
  const [batches, rows] = counts as [number, number, number];
  const pick = (view: View, isOwn: (axis: number) => boolean): View => ({
    shape: view.shape.filter((_, axis) => isOwn(axis)),
    strides: view.strides.filter((_, axis) => isOwn(axis)),
    offset: 0,
  });
  return {
    sizes: domain.sizes,
    axes: { batch: batches, depth },
    collapse: domain.collapse,
    operand: (view, which) =>
      which === 0
        ? joined(
            pick(domain.collapse(left(view)), (axis) => axis < batches + rows),
            batches + rows,
            depthView(view, firstColumn),
            view.offset,
          )
        : joined(
            pick(domain.collapse(right(view)), (axis) => axis < batches || axis >= batches + rows),
            batches,
            depthView(view, batch),
            view.offset,
          ),
  };
}

/** A slice of a scan's input begins where the iteration is. */
function sourceOf({ root, view }: Access, context: KernelContext): ContractionOperand {
  const { buffer, base } = context.host.locate(root);
  return { buffer: context.bufferFor(buffer, "load", knownElements(root)), view, base };
}

/** Elements that a constant may be known by: numbers that are the same for all rows of a matrix of few bits, say. */
const mostKnown = 64;

function knownElements({ op, attributes }: Node): ArrayLike<number> | undefined {
  if (op.kind !== "source" || op.source !== "array") return undefined;
  const { dtype, data } = (attributes as { readonly array: HostArray }).array;
  return data.length <= mostKnown ? decode(dtype, data) : undefined;
}

/** `dot 32×784×64 + add, select`. */
function nameOf(dot: Node<DotAxes>, members: readonly Node[]): string {
  const [a] = dot.inputs;
  const own = a!.shape.length - dot.attributes.depth;
  const sizes = [...dot.shape.slice(0, own), productOf(a!.shape.slice(own)), ...dot.shape.slice(own)];
  const tail = [...new Set(members.filter((member) => member !== dot).map((member) => member.op.name))];
  return `dot ${sizes.map(String).join("×")}${tail.length > 0 ? ` + ${tail.join(",")}` : ""}`;
}
