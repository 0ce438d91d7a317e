/**
 * A trace interns the nodes that are built while it is current, and keeps the pending value of each state.
 *
 * There is always a current trace: the eager one at the bottom, and above it one for each function being compiled and
 * each region being built. Interning makes equal expressions one node (common subexpressions vanish as they are written).
 */

import { NetwrightError } from "../base/errors.ts";
import { Dimension, SizeExpression, sizeKey } from "../base/size.ts";
import type { Attributes, Node, TensorType } from "./node.ts";
import type { Op } from "./op.ts";
import { captureOrigin, type Origin, originText } from "./origin.ts";
import { State } from "./state.ts";

let nodeCount = 0;

/** The id of the next node: nodes built from now on have it or a larger one. */
export const nextNodeId = (): number => nodeCount;

export class Trace {
  readonly kind: "eager" | "compiled" | "region";
  private table = new Map<string, Node>();
  /** The latest value of each state that was assigned in this trace. */
  readonly assigned = new Map<State, Node>();
  /** Where each of these was last assigned: named when a gradient is asked for a value that is no longer current. */
  readonly assignedAt = new Map<State, Origin>();
  /** The node with which each state was first read in this trace. */
  readonly reads = new Map<State, Node>();
  /** In the trace of a region: the parameter that stands for a state's value at the start of an iteration. */
  readOuter: ((state: State) => Node) | undefined;
  /** In the trace of a region: what stands inside for a node from outside; a node of the region is itself. */
  capture: ((node: Node) => Node) | undefined;
  /** In the trace of a region: what a parameter that `capture` made stands for outside. */
  readonly outside = new Map<Node, Node>();
  /** Nodes built since the trace began (or was cleared): the eager trace flushes itself when this grows long. */
  nodeCount = 0;

  constructor(kind: Trace["kind"]) {
    this.kind = kind;
  }

  /** The node of this key, if there is one. */
  find(key: string): Node | undefined {
    return this.table.get(key);
  }

  add(key: string, node: Node): void {
    this.table.set(key, node);
    this.nodeCount++;
  }

  /** Forgets nodes and pending values: the eager trace does so when all it held has been computed. */
  clear(): void {
    this.table = new Map();
    this.assigned.clear();
    this.assignedAt.clear();
    this.reads.clear();
    this.nodeCount = 0;
  }
}

const eager = new Trace("eager");
const stack: Trace[] = [eager];

export const currentTrace = (): Trace => stack[stack.length - 1]!;
export const eagerTrace = (): Trace => eager;

/** The current trace and those around it, from the inside out. */
export const openTraces = (): readonly Trace[] => [...stack].reverse();

/** What a parameter of a region that is being built stands for outside of it; undefined for every other node. */
export function standsFor(node: Node): Node | undefined {
  for (const { outside } of stack) {
    const outer = outside.get(node);
    if (outer !== undefined) return outer;
  }
  return undefined;
}

/** Runs `body` with `trace` current. */
export function withTrace<R>(trace: Trace, body: () => R): R {
  stack.push(trace);
  try {
    return body();
  } finally {
    stack.pop();
  }
}

/** Builds (or finds) the node `op(inputs, attributes)` in the current trace; the one way nodes are made. */
export function makeNode<A extends Attributes>(op: Op<A>, inputs: readonly Node[], attributes: A): Node<A> {
  const trace = currentTrace();
  const own = trace.capture ? inputs.map(trace.capture) : inputs;
  let key = op.name;
  for (let i = 0; i < own.length; i++) key += `,${own[i]!.id}`;
  key += attributesKey(attributes);
  const found = trace.find(key);
  if (found !== undefined) return found as Node<A>;
  const node = createNode(op, own, attributes);
  trace.add(key, node);
  return node as Node<A>;
}

function createNode<A extends Attributes>(op: Op<A>, inputs: readonly Node[], attributes: A): Node {
  const origin = captureOrigin();
  let type: TensorType | readonly TensorType[];
  try {
    type = op.type(inputs, attributes as never);
  } catch (error) {
    if (error instanceof NetwrightError) error.message += originText(origin);
    throw error;
  }
  const outputs = Array.isArray(type) ? (type as readonly TensorType[]) : undefined;
  const { shape, dtype } = outputs ? outputs[0]! : (type as TensorType);
  const node = { id: nodeCount++, op: op as Op, inputs, attributes, shape, dtype, origin };
  return outputs === undefined ? node : { ...node, outputs };
}

/** Equal keys, equal attributes. Numbers by their bits (−0 is not 0, NaN is NaN), arrays and states by identity. */
export function attributesKey(value: unknown): string {
  switch (typeof value) {
    case "number":
      return Object.is(value, -0) ? "-0" : String(value);
    case "string":
      return JSON.stringify(value);
    case "object": {
      if (value === null) return "null";
      if (Array.isArray(value)) {
        let list = "[";
        for (let i = 0; i < value.length; i++) list += `${attributesKey(value[i])},`;
        return `${list}]`;
      }
      if (value instanceof Dimension || value instanceof SizeExpression) return `<${sizeKey(value)}>`;
      if (value instanceof State) return `state${value.id}`;
      if (Object.getPrototypeOf(value) !== Object.prototype) return `#${identity(value)}`;
      let text = "{";
      for (const name of Object.keys(value)) {
        const part = value[name as keyof typeof value] as unknown;
        if (part !== undefined) text += `${name}:${attributesKey(part)},`;
      }
      return `${text}}`;
    }
    case "function":
      return `#${identity(value)}`;
    default:
      return String(value);
  }
}

const identities = new WeakMap<object, number>();
let identityCount = 0;

function identity(object: object): number {
  let id = identities.get(object);
  if (id === undefined) identities.set(object, (id = identityCount++));
  return id;
}
