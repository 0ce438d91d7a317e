/** Loop: a graph repeated, a number of times or as long as its condition holds. */
import { NetwrightError } from "../../base/errors.ts";
import type { Node } from "../../graph/node.ts";
import * as ops from "../../ops/index.ts";
import { type Request, type Row, type Rows, Sequence, type Value } from "../request.ts";

/** Iterations that are written out one by one. */
const mostWritten = 4096;
/** What a loop without a limit has. */
const endless = 2 ** 31 - 1;

const truth = (value: boolean): Node =>
  ops.array({ dtype: "bool", shape: [], data: Uint8Array.of(value ? 1 : 0) });
const counter = (value: number): Node => ops.array({ dtype: "i32", shape: [], data: Int32Array.of(value) });

/** A loop's parts while it is built. */
class Loop {
  readonly request: Request;
  /** What is carried when it begins. */
  readonly first: readonly Value[];
  /** How many iterations there are at most; undefined where that is known only when the program runs. */
  readonly limit: number | undefined;

  constructor(request: Request) {
    this.request = request;
    this.first = request.onnx.inputs.slice(2).map((_, i) => request.value(i + 2));
    this.limit = request.has(0) ? request.maybeConstant(0)?.data[0] : endless;
  }

  /** The condition to begin with: a number where it is known. */
  get condition(): Node | boolean {
    if (!this.request.has(1)) return true;
    return this.known(this.request.input(1));
  }

  get stackCount(): number {
    return this.request.graph("body").outputs.length - 1 - this.first.length;
  }

  /** An iteration: whether another follows, what is carried to it, and what it puts on the stacks. */
  step(index: Node, carried: readonly Value[]): Iteration {
    const [counted, condition] = this.request.graph("body").inputs;
    const shaped = (node: Node, shape: readonly unknown[] | undefined): Node =>
      shape?.length === 1 ? ops.reshape(node, [1]) : node;
    const [next, ...values] = this.request.run("body", [
      shaped(index, counted?.shape),
      shaped(truth(true), condition?.shape),
      ...carried,
    ]);
    if (next === undefined || next instanceof Sequence) throw this.request.fail("its body has no condition");
    const stacked = values.slice(this.first.length).map((value) => this.request.single(value));
    return { goesOn: this.known(next), carry: values.slice(0, this.first.length), stacked };
  }

  private known(condition: Node): Node | boolean {
    const found = this.request.fixed(condition);
    if (found !== undefined) return found.data[0] !== 0;
    return ops.reshape(condition, []);
  }
}

interface Iteration {
  readonly goesOn: Node | boolean;
  readonly carry: readonly Value[];
  readonly stacked: readonly Node[];
}

const loop: Row = (request) => {
  const parts = new Loop(request);
  if (parts.limit === undefined || typeof parts.condition !== "boolean") return whileItHolds(parts);
  if (parts.condition === false) return writtenOut(parts, 0)!;
  return asScan(parts) ?? writtenOut(parts, parts.limit) ?? whileItHolds(parts);
};

/** Where each iteration is like the others and no condition ends it; undefined elsewhere. */
function asScan(parts: Loop): Value[] | undefined {
  const { limit, first } = parts;
  if (limit === endless || !first.every((value) => !(value instanceof Sequence))) return undefined;
  let isWhole = true;
  try {
    const { carry, stacked } = ops.scan(
      first as readonly Node[],
      [ops.iota([limit!], 0, "i32")],
      (carried, [index]) => {
        const made = parts.step(index!, carried);
        isWhole &&= made.goesOn === true;
        return { carry: made.carry.map((value) => parts.request.single(value)), stacked: made.stacked };
      },
    );
    return isWhole ? [...carry, ...stacked] : undefined;
  } catch (error) {
    // Sizes that grow, or that the iteration's number decides about: written out, each has its own.
    if (error instanceof NetwrightError) return undefined;
    throw error;
  }
}

/** One iteration behind the other; undefined where numbers that the program computes decide whether another follows. */
function writtenOut(parts: Loop, limit: number): Value[] | undefined {
  const stacks: Node[][] = Array.from({ length: parts.stackCount }, () => []);
  let carry = parts.first;
  for (let i = 0; i < limit; i++) {
    if (i === mostWritten)
      throw parts.request.fail(
        `its iterations differ in their sizes, and only ${mostWritten} of ${limit} can be written out`,
      );
    const made = parts.step(counter(i), carry);
    if (typeof made.goesOn !== "boolean") return undefined;
    carry = made.carry;
    stacks.forEach((stack, at) => {
      stack.push(made.stacked[at]!);
    });
    if (!made.goesOn) break;
  }
  if (stacks.some((stack) => stack.length === 0))
    throw parts.request.fail("it has no iteration, and so no sizes of what its iterations would give");
  return [...carry, ...stacks.map((stack) => ops.stack(stack, 0))];
}

/** As long as a computed condition holds. */
function whileItHolds(parts: Loop): Value[] {
  const { request, limit = endless } = parts;
  if (parts.stackCount > 0)
    throw request.fail(
      "it gives a value of each iteration, and how many there are is known only when the program runs; " +
        "export it with a fixed number of iterations",
    );
  const first = parts.first.map((value) => request.single(value));
  const condition = parts.condition;
  const begins = typeof condition === "boolean" ? truth(condition) : condition;
  const most = ops.reshape(request.has(0) ? request.input(0) : counter(endless), []);
  const [, , ...results] = ops.repeatWhile(
    [counter(0), begins, ...first],
    ([index, goesOn]) => ops.and(goesOn!, ops.less(index!, most)),
    ([index, , ...carried]) => {
      const { goesOn, carry } = parts.step(index!, carried);
      const next = typeof goesOn === "boolean" ? truth(goesOn) : goesOn;
      return [ops.add(index!, ops.like(index!, 1)), next, ...carry.map((value) => request.single(value))];
    },
    { max: limit },
  );
  return results;
}

export const loops: Rows = { Loop: loop };
