/** What a Tensor holds: a node of the graph, the value that was computed for it, or both. */
import type { DType } from "../base/dtype.ts";
import type { Shape } from "../base/shape.ts";
import type { Node } from "../graph/node.ts";
import type { State } from "../graph/state.ts";
import { currentTrace, type Trace } from "../graph/trace.ts";
import { buffer, readState } from "../ops/index.ts";
import type { Tensor } from "./tensor.ts";
import { Value } from "./value.ts";

/** The property under which a Tensor keeps its handle: for this room only. */
export const handleKey = Symbol("handle");

/** Whether a value is a Tensor. */
export const isTensor = (value: unknown): value is Tensor =>
  typeof value === "object" && value !== null && handleKey in value;

export const handleOf = (tensor: Tensor): AnyHandle => tensor[handleKey];

/** Values computed for nodes so far: evaluation stops at these. */
const computed = new WeakMap<Node, Value>();

export function setComputed(node: Node, value: Value): void {
  computed.set(node, value);
}

/** The value of a node that needs no run: computed before, or a buffer. */
export function valueOfNode(node: Node): Value | undefined {
  const value = computed.get(node);
  if (value !== undefined) return value;
  const { storage } = node.attributes;
  return storage instanceof Value ? storage : undefined;
}

interface TensorType {
  readonly shape: Shape;
  readonly dtype: DType;
}

/** A tensor that means one value for good. */
export class Handle {
  /** The trace in which the node was made; undefined for values. */
  readonly trace: Trace | undefined;
  private graph: Node | undefined;
  private box: Value | undefined;

  constructor(from: Node | Value) {
    if (from instanceof Value) this.box = from;
    else {
      this.graph = from;
      this.trace = currentTrace();
    }
  }

  get type(): TensorType {
    return this.graph ?? this.box!;
  }

  /** The node to build on: the one it was made with, so that gradients flow through values that were read. */
  get node(): Node {
    if (this.value?.isCut && this.graph?.attributes["storage"] !== this.box) this.graph = undefined;
    return (this.graph ??= buffer(this.box!, this.box!));
  }

  get value(): Value | undefined {
    return (this.box ??= this.graph && valueOfNode(this.graph));
  }

  /** Lets go of the graph behind a computed value: gradients end here from now on. */
  cut(): void {
    if (this.value === undefined) return;
    this.box!.isCut = true;
    this.graph = undefined;
  }

  now(): Handle {
    return this;
  }
  dispose(): void {
    this.value?.dispose();
  }
}

/** A tensor that means whatever a state holds when it is used. */
export class StateHandle {
  readonly state: State;
  /** Told of each use before the value is looked up; it may refuse by throwing. */
  onRead: (() => void) | undefined;

  constructor(state: State) {
    this.state = state;
  }
  get type(): TensorType {
    return this.state;
  }
  /** The value at this moment of the program. */
  now(): Handle {
    this.onRead?.();
    return new Handle(readState(this.state));
  }
  /** A state is freed by the collector, with the last program that uses it. */
  dispose(): void {}
}

export type AnyHandle = Handle | StateHandle;
