/** Pad, concat and their kin: a fill where copies do not reach, then one strided copy for each input. */
import { bytesOf, computeDType } from "../base/dtype.ts";
import { maxElementCount, shapeText } from "../base/shape.ts";
import type { PlacementOp } from "../graph/op.ts";
import { contiguousView } from "../graph/view.ts";
import { viewAddress } from "../ir/affine.ts";
import { KernelBuilder } from "../ir/builder.ts";
import type { Kernel } from "../ir/kernel.ts";
import type { ProgramBuffer } from "../ir/program.ts";
import { collapseDomain } from "./domain.ts";
import { emitCopy } from "./lower-copy.ts";
import type { SingleRequest } from "./lower-single.ts";
import { nest } from "./nest.ts";

export function lowerPlacement({ root, accesses, output, context }: SingleRequest): {
  kernel: Kernel;
  buffers: readonly ProgramBuffer[];
} {
  const op = root.op as PlacementOp;
  const builder = new KernelBuilder();
  const whole = contiguousView(root.shape);
  const fill = op.fill(root.attributes);
  if (fill !== undefined) {
    const domain = collapseDomain(root.shape, [], [whole]);
    nest(builder, domain.sizes, "serial", (at) => {
      const place = context.elementOf(output, viewAddress(domain.collapse(whole), at), "store");
      builder.store(place.buffer, place.address, builder.constant(computeDType(root.dtype), fill));
    });
  }
  const destinations = op.destinations(whole, root.inputs, root.attributes);
  root.inputs.forEach((input, i) => {
    const access = accesses.inMemory(input);
    const from = { location: context.host.locate(access.root), view: access.view };
    emitCopy(builder, context, {
      from,
      into: destinations[i]!,
      to: output,
      outermost: "serial",
      accumulate: op.accumulates,
    });
  });
  const bytes = 2 * maxElementCount(root.shape) * bytesOf(root.dtype);
  return context.finish(`${op.name} ${shapeText(root.shape)}`, builder.statements, { flop: 0, bytes });
}
