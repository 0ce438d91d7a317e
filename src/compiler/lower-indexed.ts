/**
 * gather, scatterAdd and scatter. Every data-dependent index is clamped, so memory stays safe, and reported when it was outside.
 * A scatter adds, or replaces, in the order of its indices. One whose result takes the place of a state touches that state's
 * rows alone (`in-place.ts`); `lowerRows` makes the kernels for that.
 */
import { bytesOf } from "../base/dtype.ts";
import { maxElementCount, shapeText } from "../base/shape.ts";
import type { Size } from "../base/size.ts";
import type { Node } from "../graph/node.ts";
import type { IndexedOp } from "../graph/op.ts";
import type { View } from "../graph/view.ts";
import { contiguousView } from "../graph/view.ts";
import { viewAddress } from "../ir/affine.ts";
import { KernelBuilder } from "../ir/builder.ts";
import type { Affine, DynamicTerm, Kernel } from "../ir/kernel.ts";
import type { ProgramBuffer } from "../ir/program.ts";
import type { KernelContext, Location } from "./kernel-context.ts";
import { emitCopy } from "./lower-copy.ts";
import type { SingleRequest } from "./lower-single.ts";
import { nest } from "./nest.ts";

type Lowered = { kernel: Kernel; buffers: readonly ProgramBuffer[] };

/** Memory seen through a view. */
export interface Place {
  readonly location: Location;
  readonly view: View;
}

export function lowerIndexed({ root, accesses, output, context }: SingleRequest): Lowered {
  const op = root.op as IndexedOp;
  const [data, indices, updates] = root.inputs.map((input): Place => {
    const access = accesses.inMemory(input);
    return { location: context.host.locate(access.root), view: access.view };
  });
  const whole = { location: output, view: contiguousView(root.shape) };
  const rows = new Rows(root, context, indices!);
  // No index is below the size of an empty axis.
  if (maxElementCount(root.shape) === 0) return rows.finish(op.name, 0);
  if (op.direction === "gather") rows.gather(data!, whole);
  else {
    emitCopy(rows.builder, context, { from: data!, into: whole.view, to: output, outermost: "serial" });
    rows.scatter(updates!, whole, op.direction === "scatterAdd");
  }
  return rows.finish(op.name, 2 * maxElementCount(root.shape) * bytesOf(root.dtype));
}

/**
 * Kernels that touch only the rows of a scatter, for its lowering in place: `check` the indices (and keep them clamped), `save` what
 * lies in the rows, `write` them, `restore` what was saved.
 */
export function lowerRows(
  root: Node,
  context: KernelContext,
  {
    step,
    indices,
    table,
    rows: given,
  }: {
    readonly step: "check" | "save" | "write" | "restore";
    readonly indices: Place;
    /** Where the rows lie; for a check, what takes the clamped indices. */
    readonly table: Place;
    /** What is written, or takes what is saved. */
    readonly rows?: Place;
  },
): Lowered {
  const rows = new Rows(root, context, indices);
  if (step === "check") rows.check(table);
  else if (step === "save") rows.gather(table, given!);
  else rows.scatter(given!, table, step === "write" && (root.op as IndexedOp).direction === "scatterAdd");
  const { shape, dtype } = root.inputs[step === "check" ? 1 : 2]!;
  const each = root.op.name === "scatterAdd" ? 3 : 2;
  return rows.finish(
    `${step === "write" ? root.op.name : step} rows of`,
    each * maxElementCount(shape) * bytesOf(dtype),
  );
}

/** A kernel over the rows of a table that `indices` name, for a node whose second input they are. */
class Rows {
  readonly builder = new KernelBuilder();
  private readonly root: Node;
  private readonly context: KernelContext;
  private readonly indices: Place;
  private readonly axis: number;

  constructor(root: Node, context: KernelContext, indices: Place) {
    this.root = root;
    this.context = context;
    this.indices = indices;
    this.axis = (root.attributes as { axis: number }).axis;
  }

  /** to[…, position, …] = from[…, indices[position], …]. */
  gather(from: Place, to: Place): void {
    const { builder, context } = this;
    nest(builder, to.view.shape, "parallel", (place) => {
      const source = this.row(from.view, place);
      const element = context.elementOf(from.location, source.address, "load");
      const target = context.elementOf(to.location, viewAddress(to.view, place), "store");
      builder.store(
        target.buffer,
        target.address,
        builder.load(element.buffer, element.address, [source.term]),
      );
    });
  }

  /** to[…, indices[position], …] = from[…, position, …], or added to what is there. */
  scatter(from: Place, to: Place, isAdded: boolean): void {
    const { builder, context } = this;
    const body = (place: readonly Affine[]): void => {
      const { address, term } = this.row(to.view, place);
      const update = context.elementOf(from.location, viewAddress(from.view, place), "load");
      const value = builder.load(update.buffer, update.address);
      const target = context.elementOf(to.location, address, "store");
      if (!isAdded) return builder.store(target.buffer, target.address, value, [term]);
      const sum = context.elementOf(to.location, address, "load");
      const added = builder.binary("add", builder.load(sum.buffer, sum.address, [term]), value);
      builder.store(target.buffer, target.address, added, [term]);
    };
    const { shape } = from.view;
    // Lanes may hit the same element when the indices run along the innermost axis: then one at a time.
    const isInnermost = this.axis === to.view.shape.length - 1;
    if (isInnermost) nest(builder, [...shape, 1], "serial", (place) => body(place.slice(0, -1)));
    else nest(builder, shape, "serial", body);
  }

  /** The clamped indices. */
  check(to: Place): void {
    const { builder, context } = this;
    nest(builder, to.view.shape, "parallel", (position) => {
      const target = context.elementOf(to.location, viewAddress(to.view, position), "store");
      builder.store(target.buffer, target.address, this.clamped(position));
    });
  }

  finish(name: string, bytes: number): Lowered {
    return this.context.finish(`${name} ${shapeText(this.root.shape)}`, this.builder.statements, {
      flop: 0,
      bytes,
    });
  }

  /** Where the element of the table lies that belongs to `place` among the rows. */
  private row(table: View, place: readonly Affine[]): { address: Affine; term: DynamicTerm } {
    const { axis } = this;
    const rank = this.indices.view.shape.length;
    const others = [...place.slice(0, axis), ...place.slice(axis + rank)];
    const index = this.clamped(place.slice(axis, axis + rank));
    return {
      address: viewAddress(withoutAxis(table, axis), others),
      term: { index, stride: table.strides[axis]! },
    };
  }

  private clamped(position: readonly Affine[]) {
    const { builder, context, root, indices } = this;
    const { view, location } = indices;
    const size: Size = root.inputs[0]!.shape[this.axis]!;
    const element = context.elementOf(location, viewAddress(view, position), "load");
    return builder.at(
      () => context.checkSite(root, viewAddress(contiguousView(view.shape), position)),
      () => builder.checkIndex(builder.load(element.buffer, element.address), size),
    );
  }
}

const withoutAxis = (view: View, axis: number): View => ({
  shape: view.shape.filter((_, i) => i !== axis),
  strides: view.strides.filter((_, i) => i !== axis),
  offset: view.offset,
});
