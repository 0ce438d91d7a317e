/** A contraction with the elementwise members of its cluster fused into the store of each tile. */
import { computeDType } from "../base/dtype.ts";
import type { Node } from "../graph/node.ts";
import { viewAddress, zeroAffine } from "../ir/affine.ts";
import { KernelBuilder } from "../ir/builder.ts";
import type { Affine, Kernel, Value } from "../ir/kernel.ts";
import type { ProgramBuffer } from "../ir/program.ts";
import type { TargetDescription } from "../ir/target.ts";
import type { Accesses } from "./access.ts";
import { type Cluster, embed, positionView } from "./clusters.ts";
import { MemberEvaluator } from "./evaluate-member.ts";
import { KernelContext, type KernelHost, type Location } from "./kernel-context.ts";
import { outerLoops } from "./nest.ts";

export interface DotRequest {
  readonly cluster: Cluster;
  readonly accesses: Accesses;
  readonly outputs: ReadonlyMap<Node, Location>;
  readonly host: KernelHost;
  readonly target: TargetDescription;
}

export function lowerDot({
  cluster,
  accesses,
  outputs,
  host,
}: DotRequest): { kernel: Kernel; buffers: readonly ProgramBuffer[] }[] {
  const members = [...cluster.members.keys()].sort((a, b) => a.id - b.id);
  const dot = members.find((member) => member.op.kind === "dot")!;
  const builder = new KernelBuilder();
  const context = new KernelContext(host);
  const evaluator = new MemberEvaluator({
    builder,
    context,
    accesses,
    levelOf: (root) => cluster.members.get(root),
    viewOf: (view) => embed(view, "full", cluster.domain, undefined)!,
    positionOf: () => positionView("full", cluster.domain, undefined),
    stored: () => undefined,
    rowValue: () => {
      throw new Error("a dot has no rows");
    },
  });
  const isPresent = dot.shape.map((size) => size !== 1);
  const epilogue = (accumulated: Value, at: readonly Affine[]): void => {
    const place = at.filter((_, axis) => isPresent[axis]);
    const scope = evaluator.scope(place, 0, new Map([[dot, accumulated]]));
    const values = [...outputs.keys()].map((member) => scope.value(member));
    const position = positionView("full", cluster.domain, undefined);
    [...outputs.values()].forEach((location, i) => {
      const target = context.elementOf(location, viewAddress(position, place), "store");
      builder.store(target.buffer, target.address, values[i]!);
    });
  };
  const [a, b] = dot.inputs.map((input) => accesses.inMemory(input));
  const K = dot.inputs[0]!.shape[dot.inputs[0]!.shape.length - 1]!;
  const dtype = computeDType(dot.dtype);
  const acc = { name: "acc", dtype, count: 1, lanes: 16 };
  const N = dot.shape[dot.shape.length - 1] as number;
  outerLoops(builder, [...dot.shape.slice(0, -1)], "serial", (outer) => {
    for (let j = 0; j < N; j += 16) {
      const width = Math.min(16, N - j);
      builder.set(acc, builder.constant(dtype, 0));
      const batch = outer.slice(0, -1);
      const i = outer[outer.length - 1]!;
      builder.serial("k", K, (k) => {
        builder.vector("j", width, (v) => {
          const col = { constant: j, terms: v.terms };
          const x = context.element(a!.root, viewAddress(a!.view, [...batch, i, k]), "load");
          const y = context.element(b!.root, viewAddress(b!.view, [...batch, k, col]), "load");
          builder.set(
            acc,
            builder.mulAdd(
              builder.load(x.buffer, x.address),
              builder.load(y.buffer, y.address),
              builder.read(acc),
            ),
          );
        });
      });
      builder.vector("j", width, (v) =>
        epilogue(builder.read(acc), [...outer, { constant: j, terms: v.terms }]),
      );
    }
  });
  void zeroAffine;
  return [context.finish(`dot ${dot.shape.join("×")}`, builder.statements, { flop: 0, bytes: 0 })];
}
