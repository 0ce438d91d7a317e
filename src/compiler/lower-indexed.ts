/**
 * gather, scatterAdd and scatter. Every data-dependent index is clamped, so memory stays safe, and reported when it was outside.
 * A scatter adds, or replaces, in the order of its indices.
 */
import { bytesOf } from "../base/dtype.ts";
import { maxElementCount, shapeText } from "../base/shape.ts";
import type { Size } from "../base/size.ts";
import type { IndexedOp } from "../graph/op.ts";
import type { View } from "../graph/view.ts";
import { contiguousView } from "../graph/view.ts";
import { viewAddress } from "../ir/affine.ts";
import { KernelBuilder } from "../ir/builder.ts";
import type { Affine, DynamicTerm, Kernel } from "../ir/kernel.ts";
import type { ProgramBuffer } from "../ir/program.ts";
import { emitCopy } from "./lower-copy.ts";
import type { SingleRequest } from "./lower-single.ts";
import { nest } from "./nest.ts";

export function lowerIndexed(request: SingleRequest): { kernel: Kernel; buffers: readonly ProgramBuffer[] } {
  const { root, accesses, output, context } = request;
  const op = root.op as IndexedOp;
  const { axis } = root.attributes as { axis: number };
  const builder = new KernelBuilder();
  const [data, indices, updates] = root.inputs.map((input) => accesses.inMemory(input));
  const indexRank = root.inputs[1]!.shape.length;

  /** The clamped index at `position`, times the stride of the indexed axis. */
  const dynamicTerm = (position: readonly Affine[], size: Size, stride: Size): DynamicTerm => {
    const element = context.element(indices!.root, viewAddress(indices!.view, position), "load");
    const linear = viewAddress(contiguousView(root.inputs[1]!.shape), position);
    const index = builder.at(
      () => context.checkSite(root, linear),
      () => builder.checkIndex(builder.load(element.buffer, element.address), size),
    );
    return { index, stride };
  };
  /** Splits the axes of a shape in which the indexed axis is replaced by the indices' axes. */
  const split = (place: readonly Affine[]) => ({
    before: place.slice(0, axis),
    position: place.slice(axis, axis + indexRank),
    after: place.slice(axis + indexRank),
  });
  const withoutAxis = (view: View): View => ({
    shape: view.shape.filter((_, i) => i !== axis),
    strides: view.strides.filter((_, i) => i !== axis),
    offset: view.offset,
  });

  if (op.direction === "gather") {
    nest(builder, root.shape, "parallel", (place) => {
      const { before, position, after } = split(place);
      const address = viewAddress(withoutAxis(data!.view), [...before, ...after]);
      const term = dynamicTerm(position, data!.view.shape[axis]!, data!.view.strides[axis]!);
      const from = context.element(data!.root, address, "load");
      const to = context.elementOf(output, viewAddress(contiguousView(root.shape), place), "store");
      builder.store(to.buffer, to.address, builder.load(from.buffer, from.address, [term]));
    });
  } else {
    const whole = contiguousView(root.shape);
    emitCopy(builder, context, {
      from: { location: context.host.locate(data!.root), view: data!.view },
      into: whole,
      to: output,
      outermost: "serial",
    });
    const isInnermost = axis === root.shape.length - 1;
    const shape = root.inputs[2]!.shape;
    const body = (place: readonly Affine[]): void => {
      const { before, position, after } = split(place);
      const address = viewAddress(withoutAxis(whole), [...before, ...after]);
      const term = dynamicTerm(position, root.shape[axis]!, whole.strides[axis]!);
      const update = context.element(updates!.root, viewAddress(updates!.view, place), "load");
      const value = builder.load(update.buffer, update.address);
      const to = context.elementOf(output, address, "store");
      if (op.direction === "scatter") return builder.store(to.buffer, to.address, value, [term]);
      const sum = context.elementOf(output, address, "load");
      const added = builder.binary("add", builder.load(sum.buffer, sum.address, [term]), value);
      builder.store(to.buffer, to.address, added, [term]);
    };
    // Lanes may hit the same element when the indices run along the innermost axis: then one at a time.
    if (isInnermost) nest(builder, [...shape, 1], "serial", (place) => body(place.slice(0, -1)));
    else nest(builder, shape, "serial", body);
  }
  const bytes = 2 * maxElementCount(root.shape) * bytesOf(root.dtype);
  return context.finish(`${op.name} ${shapeText(root.shape)}`, builder.statements, { flop: 0, bytes });
}
