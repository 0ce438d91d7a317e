/** A kernel that copies a view (or spreads a constant or counter) to contiguous memory. */
import { bytesOf, computeDType } from "../base/dtype.ts";
import { maxElementCount, shapeText } from "../base/shape.ts";
import type { Node } from "../graph/node.ts";
import { contiguousView, type View } from "../graph/view.ts";
import { viewAddress } from "../ir/affine.ts";
import { KernelBuilder } from "../ir/builder.ts";
import type { Affine, Kernel, Value } from "../ir/kernel.ts";
import type { ProgramBuffer } from "../ir/program.ts";
import { collapseDomain } from "./domain.ts";
import type { KernelContext, Location } from "./kernel-context.ts";
import { nest } from "./nest.ts";

/** What is copied: a view of memory, or of a constant or counter that has none. */
export type CopySource = { readonly view: View } & (
  | { readonly location: Location }
  | { readonly root: Node }
);

export interface CopyRequest {
  readonly context: KernelContext;
  readonly from: CopySource;
  /** Gives shape and dtype. */
  readonly node: Pick<Node, "shape" | "dtype">;
  readonly to: Location;
}

export function lowerCopy({ context, from, node, to }: CopyRequest): {
  kernel: Kernel;
  buffers: readonly ProgramBuffer[];
} {
  const builder = new KernelBuilder();
  emitCopy(builder, context, { from, into: contiguousView(node.shape), to, outermost: "parallel" });
  const elements = maxElementCount(node.shape);
  const cost = { flop: 0, bytes: 2 * elements * bytesOf(node.dtype) };
  return context.finish(`copy ${shapeText(node.shape)}`, builder.statements, cost);
}

/** Stores the elements of `from` into the view `into` (of the same shape) of the memory at `to`. */
export function emitCopy(
  builder: KernelBuilder,
  context: KernelContext,
  {
    from,
    into,
    to,
    outermost,
    accumulate = false,
  }: { from: CopySource; into: View; to: Location; outermost: "serial" | "parallel"; accumulate?: boolean },
): void {
  const domain = collapseDomain(into.shape, [], [from.view, into]);
  const [source, target] = [domain.collapse(from.view), domain.collapse(into)];
  nest(builder, domain.sizes, outermost, (at) => {
    const value = readSource(builder, context, from, viewAddress(source, at));
    const place = context.elementOf(to, viewAddress(target, at), "store");
    if (!accumulate) return builder.store(place.buffer, place.address, value);
    const before = context.elementOf(to, viewAddress(target, at), "load");
    builder.store(
      place.buffer,
      place.address,
      builder.binary("add", builder.load(before.buffer, before.address), value),
    );
  });
}

/** The element at `address` of a source. */
export function readSource(
  builder: KernelBuilder,
  context: KernelContext,
  from: CopySource,
  address: Affine,
): Value {
  if ("location" in from) {
    const element = context.elementOf(from.location, address, "load");
    return builder.load(element.buffer, element.address);
  }
  const { op, attributes, dtype } = from.root;
  const isCounter = op.kind === "source" && op.source === "iota";
  if (isCounter) return builder.convert(computeDType(dtype), builder.index(address));
  return builder.constant(computeDType(dtype), (attributes as { value: number }).value);
}
