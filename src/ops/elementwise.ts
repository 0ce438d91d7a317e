/** Makers of elementwise ops: the type rule, the reference and the class's facts from the few that differ. */
import { computeDType, type DType, roundTo } from "../base/dtype.ts";
import type { Node, TensorType } from "../graph/node.ts";
import type { ElementwiseOp } from "../graph/op.ts";
import type { ScalarBuilder } from "../graph/scalar.ts";
import { makeNode } from "../graph/trace.ts";
import { countOf, type DTypeClass, requireDType, requireSameDType, requireSameShape } from "./rules.ts";

/** Ops without attributes have these. */
export type NoAttributes = Record<never, never>;

interface Block {
  readonly name: string;
  /** The dtypes it takes; inputs must share one. */
  readonly takes: DTypeClass;
  /** The result's dtype; the inputs' when left out. */
  readonly gives?: DType;
  /** Rough multiply-adds an element; 1 when left out. */
  readonly cost?: number;
  readonly isCommutative?: boolean;
  readonly neutral?: ElementwiseOp["neutral"];
  /** The meaning on numbers, in float64. */
  evaluate(...x: readonly [...number[], DType]): number;
  /** Cotangents of the inputs, given the cotangent g of the node. */
  gradient?(g: Node, node: Node<NoAttributes>): readonly (Node | null)[];
}

interface UnaryBlock extends Omit<Block, "evaluate"> {
  evaluate(x: number, dtype: DType): number;
  expand<V>(b: ScalarBuilder<V>, x: V): V;
}

interface BinaryBlock extends Omit<Block, "evaluate"> {
  evaluate(a: number, b: number, dtype: DType): number;
  expand<V>(b: ScalarBuilder<V>, x: V, y: V): V;
}

export function unaryOp(block: UnaryBlock): ElementwiseOp<NoAttributes> {
  return {
    ...shared(block),
    reference([x], _attributes, { outputs: [out] }) {
      const data = x!.data.map((value) => roundTo(out!.dtype, block.evaluate(value, x!.dtype)));
      return [{ shape: x!.shape, dtype: out!.dtype, data }];
    },
    expand: (b, [x], _attributes, node) => narrow(b, node.dtype, block.expand(b, x!)),
  };
}

export function binaryOp(block: BinaryBlock): ElementwiseOp<NoAttributes> {
  return {
    ...shared(block),
    reference([x, y], _attributes, { outputs: [out] }) {
      const data = new Float64Array(countOf(x!.shape));
      for (let i = 0; i < data.length; i++) {
        data[i] = roundTo(out!.dtype, block.evaluate(x!.data[i]!, y!.data[i]!, x!.dtype));
      }
      return [{ shape: x!.shape, dtype: out!.dtype, data }];
    },
    expand: (b, [x, y], _attributes, node) => narrow(b, node.dtype, block.expand(b, x!, y!)),
  };
}

function shared({ name, takes, gives, cost = 1, isCommutative, neutral, gradient }: Omit<Block, "evaluate">) {
  return {
    name,
    kind: "elementwise",
    cost,
    ...(isCommutative && { isCommutative }),
    ...(neutral && { neutral }),
    type(inputs: readonly TensorType[]): TensorType {
      const [first] = inputs as [TensorType];
      for (const input of inputs) {
        requireDType(name, input, takes);
        requireSameDType(name, first, input);
        requireSameShape(name, first, input);
      }
      return { shape: first.shape, dtype: gives ?? first.dtype };
    },
    ...(gradient && {
      gradient: (node: Node<NoAttributes>, [g]: readonly (Node | undefined)[]) => gradient(g!, node),
    }),
  } as const;
}

/** Keeps an 8-bit integer's low bits while it lives in a 32-bit register, so that it wraps as its dtype does. */
export function narrow<V>(b: ScalarBuilder<V>, dtype: DType, x: V): V {
  if (dtype === "u8") return b.binary("and", x, b.constant("i32", 255));
  if (dtype !== "i8") return x;
  const by = b.constant("i32", 24);
  return b.binary("shiftRight", b.binary("shiftLeft", x, by), by);
}

export const unary =
  (op: ElementwiseOp<NoAttributes>) =>
  (x: Node): Node =>
    makeNode(op, [x], {});

export const binary =
  (op: ElementwiseOp<NoAttributes>) =>
  (a: Node, b: Node): Node =>
    makeNode(op, [a, b], {});

/** The register dtype of a node's elements. */
export const scalarDType = (node: TensorType) => computeDType(node.dtype);
