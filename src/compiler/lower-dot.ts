/** A contraction with the elementwise members of its cluster fused into the store of each tile. */
import { computeDType } from "../base/dtype.ts";
import { InternalError } from "../base/errors.ts";
import { maxOf } from "../base/size.ts";
import type { Node } from "../graph/node.ts";
import { viewAddress } from "../ir/affine.ts";
import type { KernelBuilder } from "../ir/builder.ts";
import type { Affine, Kernel, Value } from "../ir/kernel.ts";
import type { ProgramBuffer } from "../ir/program.ts";
import type { Access, Accesses } from "./access.ts";
import { type Cluster, embed, positionView } from "./clusters.ts";
import { lowerContraction } from "./contraction/lower.ts";
import type { ContractionOperand } from "./contraction/problem.ts";
import { MemberEvaluator } from "./evaluate-member.ts";
import { KernelContext, type KernelHost, type Location } from "./kernel-context.ts";

export interface DotRequest {
  readonly cluster: Cluster;
  readonly accesses: Accesses;
  readonly outputs: ReadonlyMap<Node, Location>;
  readonly host: KernelHost;
}

export function lowerDot(request: DotRequest): { kernel: Kernel; buffers: readonly ProgramBuffer[] }[] {
  const { cluster, accesses, outputs, host } = request;
  const members = [...cluster.members.keys()].sort((a, b) => a.id - b.id);
  const dot = members.find((member) => member.op.kind === "dot")!;
  const context = new KernelContext(host);
  const position = positionView("full", cluster.domain, undefined);
  const isPresent = dot.shape.map((size) => size !== 1);

  const epilogue = (builder: KernelBuilder, accumulated: Value, at: readonly Affine[]): void => {
    const place = at.filter((_, axis) => isPresent[axis]);
    const scope = new MemberEvaluator({
      builder,
      context,
      accesses,
      levelOf: (root) => cluster.members.get(root),
      viewOf: (view) => embed(view, "full", cluster.domain, undefined)!,
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

  const [a, b] = dot.inputs.map((input) => operandOf(accesses.inMemory(input), context));
  const { kernels, scratch } = lowerContraction({
    name: nameOf(dot, members),
    a: a!,
    b: b!,
    shape: dot.shape,
    dtype: computeDType(dot.dtype),
    target: host.target,
    parameters: host.loops,
    epilogue,
  });
  for (const buffer of scratch) {
    context.adopt(buffer, host.newBuffer(buffer.name, buffer.dtype, maxOf(buffer.elements), buffer.scope));
  }
  return kernels.map((kernel) => ({
    kernel,
    buffers: kernel.buffers.map((buffer) => context.memoryOf(buffer)),
  }));
}

/** A slice of a scan's input begins where the iteration is. */
function operandOf({ root, view }: Access, context: KernelContext): ContractionOperand {
  const { buffer, base } = context.host.locate(root);
  return { buffer: context.bufferFor(buffer, "load"), view, base };
}

/** `dot 32×784×64 + add, select`. */
function nameOf(dot: Node, members: readonly Node[]): string {
  const [a] = dot.inputs;
  const sizes = [...dot.shape.slice(0, -1), a!.shape[a!.shape.length - 1]!, dot.shape[dot.shape.length - 1]!];
  const tail = [...new Set(members.filter((member) => member !== dot).map((member) => member.op.name))];
  return `dot ${sizes.map(String).join("×")}${tail.length > 0 ? ` + ${tail.join(",")}` : ""}`;
}
