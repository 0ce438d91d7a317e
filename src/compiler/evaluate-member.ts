/** Emits the value of a cluster's member at one point of the domain: loads, expansions, and values kept from before. */
import { computeDType } from "../base/dtype.ts";
import type { Node } from "../graph/node.ts";
import type { ElementwiseOp } from "../graph/op.ts";
import type { View } from "../graph/view.ts";
import { viewAddress } from "../ir/affine.ts";
import type { KernelBuilder } from "../ir/builder.ts";
import type { Affine, KernelBuffer, Value } from "../ir/kernel.ts";
import type { Access, Accesses } from "./access.ts";
import { type Level, readsOf } from "./clusters.ts";
import type { KernelContext } from "./kernel-context.ts";

export interface EvaluatorFacts {
  readonly builder: KernelBuilder;
  readonly context: KernelContext;
  readonly accesses: Accesses;
  levelOf(root: Node): Level | undefined;
  /** A view that `reader` reads, over the kernel's loop axes. */
  viewOf(view: View, reader: Node): View;
  positionOf(member: Node): View;
  /** Memory in which an earlier stage left the value. */
  stored(
    root: Node,
    stage: number,
  ): { buffer: KernelBuffer; address(at: readonly Affine[]): Affine } | undefined;
  rowValue(root: Node): Value;
}

export class MemberEvaluator {
  readonly facts: EvaluatorFacts;
  constructor(facts: EvaluatorFacts) {
    this.facts = facts;
  }
  /** Values at one point; each is emitted once. */
  scope(at: readonly Affine[], stage: number, given: ReadonlyMap<Node, Value> = new Map()): EvaluationScope {
    return new EvaluationScope(this.facts, at, stage, given);
  }
}

class EvaluationScope {
  private readonly facts: EvaluatorFacts;
  private readonly at: readonly Affine[];
  private readonly stage: number;
  private readonly values: Map<Node, Value>;

  constructor(facts: EvaluatorFacts, at: readonly Affine[], stage: number, given: ReadonlyMap<Node, Value>) {
    this.facts = facts;
    this.at = at;
    this.stage = stage;
    this.values = new Map(given);
  }

  /** The member's value: known, kept in a register or in memory, or computed here. */
  value(member: Node): Value {
    let value = this.values.get(member);
    if (value === undefined) this.values.set(member, (value = this.recall(member) ?? this.compute(member)));
    return value;
  }

  /** Computes the member from its operands. */
  compute(member: Node): Value {
    const { builder, context, accesses } = this.facts;
    const operands = readsOf(member, accesses).map((_, i) => this.operand(member, i));
    const [only] = operands;
    if (accesses.copies.has(member)) return only!;
    const position = viewAddress(this.facts.positionOf(member), this.at);
    const op = member.op as ElementwiseOp;
    const value = builder.at(
      () => context.checkSite(member, position),
      () => op.expand(builder, operands, member.attributes as never, member),
    );
    return builder.convert(computeDType(member.dtype), value);
  }

  /** Operand `i` of a member: another member's value, a constant, a counter, or a load. */
  operand(member: Node, i: number): Value {
    const access = readsOf(member, this.facts.accesses)[i]!;
    // The copy of a constant or counter reads what it copies: itself.
    const isInside = access.root !== member && this.facts.levelOf(access.root) !== undefined;
    return isInside ? this.value(access.root) : this.outside(access, member);
  }

  private recall(member: Node): Value | undefined {
    const { builder } = this.facts;
    if (this.facts.levelOf(member) === "row")
      return builder.convert(computeDType(member.dtype), this.facts.rowValue(member));
    const kept = this.facts.stored(member, this.stage);
    return kept && builder.load(kept.buffer, kept.address(this.at));
  }

  private outside({ root, view, isCopy }: Access, reader: Node): Value {
    const { builder, context } = this.facts;
    const dtype = computeDType(root.dtype);
    const { op } = root;
    if (op.kind === "source" && op.source === "constant" && !isCopy) {
      return builder.constant(dtype, (root.attributes as { value: number }).value);
    }
    const address = viewAddress(this.facts.viewOf(view, reader), this.at);
    if (op.kind === "source" && op.source === "iota" && !isCopy)
      return builder.convert(dtype, builder.index(address));
    const element = context.element(root, address, "load");
    return builder.load(element.buffer, element.address);
  }
}
