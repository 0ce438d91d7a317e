import { DTypeError } from "../base/errors.ts";
import { threefry2x32 } from "../base/random.ts";
import type { Node } from "../graph/node.ts";
import type { ElementwiseOp } from "../graph/op.ts";
import type { ScalarBuilder } from "../graph/scalar.ts";
import { makeNode } from "../graph/trace.ts";
import { broadcastTo } from "./broadcast.ts";
import { requireSameShape, typeText } from "./rules.ts";

/** Rotations of the four rounds of even and odd groups. */
const rotations = [
  [13, 15, 26, 6],
  [17, 29, 16, 24],
] as const;

export const randomBitsOp: ElementwiseOp<{ word: 0 | 1 }> = {
  name: "randomBits",
  kind: "elementwise",
  cost: 120,
  type(inputs) {
    for (const input of inputs) {
      if (input.dtype !== "u32")
        throw new DTypeError(`randomBits: keys and counters are u32, got ${typeText(input)}`);
      requireSameShape("randomBits", inputs[0]!, input);
    }
    return { shape: inputs[0]!.shape, dtype: "u32" };
  },
  reference([key0, key1, counter0, counter1], { word }, { outputs: [out] }) {
    const hash = (i: number): number =>
      threefry2x32(key0!.data[i]!, key1!.data[i]!, counter0!.data[i]!, counter1!.data[i]!)[word];
    return [{ ...out!, data: key0!.data.map((_, i) => hash(i)) }];
  },
  gradient: () => [null, null, null, null],
  expand: (b, [key0, key1, counter0, counter1], { word }) =>
    threefry(b, [key0!, key1!], [counter0!, counter1!])[word],
};

/** Threefry-2x32 with 20 rounds, as in `base/random.ts`. */
function threefry<V>(b: ScalarBuilder<V>, key: readonly [V, V], counter: readonly [V, V]): [V, V] {
  const u32 = (value: number): V => b.constant("u32", value);
  const add = (p: V, q: V): V => b.binary("add", p, q);
  const xor = (p: V, q: V): V => b.binary("xor", p, q);
  const rotate = (p: V, by: number): V =>
    b.binary("or", b.binary("shiftLeft", p, u32(by)), b.binary("shiftRight", p, u32(32 - by)));
  const schedule = [key[0], key[1], xor(xor(key[0], key[1]), u32(0x1bd11bda))] as const;
  let x = add(counter[0], schedule[0]);
  let y = add(counter[1], schedule[1]);
  for (let group = 0; group < 5; group++) {
    for (const by of rotations[group % 2]!) {
      x = add(x, y);
      y = xor(rotate(y, by), x);
    }
    x = add(x, schedule[(group + 1) % 3]!);
    y = add(y, add(schedule[(group + 2) % 3]!, u32(group + 1)));
  }
  return [x, y];
}

/**
 * Word `word` of the Threefry-2x32 hash of (counter0, counter1) under (key0, key1): all u32, broadcast to the shape of
 * counter1. A pure function: equal keys and counters give equal bits on every target.
 */
export function randomBits(key: readonly [Node, Node], counter: readonly [Node, Node], word: 0 | 1): Node {
  const { shape } = counter[1];
  const inputs = [...key, ...counter].map((input) => broadcastTo(input, shape));
  return makeNode(randomBitsOp, inputs, { word });
}
