/**
 * argsort as a radix sort, least significant byte first: stable, no comparison, the same work for any input. Elements become
 * 32-bit keys whose unsigned order is theirs; four passes over a row count bytes, add the counts up and place keys and indices.
 * Keys of f64 have two words, read where the numbers lie: four passes over the low ones, then four over the high ones.
 */
import { bytesOf } from "../base/dtype.ts";
import { maxElementCount, shapeText } from "../base/shape.ts";
import { maxOf, multiplySizes } from "../base/size.ts";
import { contiguousView } from "../graph/view.ts";
import { addAffine, constantAffine, scaleAffine, viewAddress, zeroAffine } from "../ir/affine.ts";
import { KernelBuilder } from "../ir/builder.ts";
import type { Affine, DynamicTerm, Kernel, KernelBuffer, Register, Value } from "../ir/kernel.ts";
import type { ProgramBuffer } from "../ir/program.ts";
import type { SingleRequest } from "./lower-single.ts";
import { outerLoops } from "./nest.ts";

const digitBits = 8;
const digits = 2 ** digitBits;
const passes = 32 / digitBits;
const signBit = -(2 ** 31);
const largestKey = 2 ** 31 - 1;

/** A list of a row: where it begins in its buffer. */
interface Row {
  readonly buffer: KernelBuffer;
  readonly start: Affine;
}

export function lowerOrder({ root, accesses, output, context }: SingleRequest): {
  kernel: Kernel;
  buffers: readonly ProgramBuffer[];
} {
  const b = new KernelBuilder();
  const [input] = root.inputs.map((x) => accesses.inMemory(x));
  const { descending } = root.attributes as { descending: boolean };
  const length = root.shape[root.shape.length - 1]!;
  const scratch = (name: string, elements: number): Row => ({
    buffer: context.scratch(name, "i32", elements),
    start: zeroAffine,
  });
  const counts = scratch("counts", digits).buffer;
  const other = { keys: scratch("other keys", maxOf(length)), order: scratch("other order", maxOf(length)) };
  const keys = scratch("keys", maxOf(length));
  const isWide = root.inputs[0]!.dtype === "f64";
  const highKeys = isWide ? scratch("high keys", maxOf(length)) : undefined;
  let words: KernelBuffer | undefined;
  const total: Register = { name: "total", dtype: "i32", count: 1, lanes: 1 };
  const number = (value: number): Value => b.constant("i32", value);
  const at = (row: Row, i: Affine): [KernelBuffer, Affine] => [row.buffer, addAffine(row.start, i)];

  const digitOf = (key: Value, pass: number): Value => {
    const shifted = pass === 0 ? key : b.binary("shiftRight", key, number(digitBits * pass));
    return b.binary("and", shifted, number(digits - 1));
  };
  /** Where the count of a key's digit stands; the clamp never changes it. */
  const countAt = (key: Value, pass: number): DynamicTerm[] => [
    {
      index: b.at(
        () => context.checkSite(root),
        () => b.checkIndex(digitOf(key, pass), digits),
      ),
      stride: 1,
    },
  ];
  const countDigits = (from: Row, pass: number): void => {
    b.vector("digit", digits, (digit) => b.store(counts, digit, number(0)));
    b.serial("i", length, (i) => {
      const place = countAt(b.load(...at(from, i)), pass);
      b.store(counts, zeroAffine, b.binary("add", b.load(counts, zeroAffine, place), number(1)), place);
    });
    // Each digit's first place: how many keys have a smaller one.
    b.set(total, number(0));
    b.serial("digit", digits, (digit) => {
      const count = b.load(counts, digit);
      const before = b.read(total);
      b.store(counts, digit, before);
      b.set(total, b.binary("add", before, count));
    });
  };
  const place = (from: typeof other, to: typeof other, pass: number): void => {
    b.serial("i", length, (i) => {
      const key = b.load(...at(from.keys, i));
      const index = b.load(...at(from.order, i));
      const digit = countAt(key, pass);
      const position = b.load(counts, zeroAffine, digit);
      b.store(counts, zeroAffine, b.binary("add", position, number(1)), digit);
      const target = b.at(
        () => context.checkSite(root),
        () => b.checkIndex(position, length),
      );
      const term = [{ index: target, stride: 1 }];
      b.store(to.keys.buffer, to.keys.start, key, term);
      b.store(to.order.buffer, to.order.start, index, term);
    });
  };

  outerLoops(b, root.shape.slice(0, -1), "parallel", (row) => {
    const first = viewAddress(contiguousView(root.shape), [...row, constantAffine(0)]);
    const result = context.elementOf(output, first, "store");
    context.elementOf(output, first, "load");
    const own = { keys, order: { buffer: result.buffer, start: result.address } };
    const storeKey = (to: Row, i: Affine, key: Value): void =>
      b.store(...at(to, i), descending ? b.unary("not", key) : key);
    const sortKeys = (): void => {
      // An even number of passes: the last one ends in the result.
      for (let pass = 0; pass < passes; pass++) {
        const [from, to] = pass % 2 === 0 ? [own, other] : [other, own];
        countDigits(from.keys, pass);
        place(from, to, pass);
      }
    };
    const elementAt = (i: Affine) =>
      context.element(input!.root, viewAddress(input!.view, [...row, i]), "load");
    if (highKeys === undefined) {
      b.vector("i", length, (i) => {
        const { buffer, address } = elementAt(i);
        storeKey(own.keys, i, keyOf(b, b.load(buffer, address)));
        b.store(...at(own.order, i), b.index(i));
      });
      sortKeys();
      return;
    }
    b.serial("i", length, (i) => {
      const { buffer, address } = elementAt(i);
      words ??= wordsOf(buffer);
      const first = scaleAffine(address, 2);
      const [low, high] = [first, addAffine(first, constantAffine(1))].map((word) => b.load(words!, word));
      const key = wideKeyOf(b, b.load(buffer, address), low!, high!);
      storeKey(own.keys, i, key.low);
      storeKey(highKeys, i, key.high);
      b.store(...at(own.order, i), b.index(i));
    });
    sortKeys();
    b.serial("i", length, (i) => {
      const index = b.at(
        () => context.checkSite(root),
        () => b.checkIndex(b.load(...at(own.order, i)), length),
      );
      b.store(...at(own.keys, i), b.load(highKeys.buffer, highKeys.start, [{ index, stride: 1 }]));
    });
    sortKeys();
  });
  const traffic = bytesOf(root.inputs[0]!.dtype) + (isWide ? 8 : 4) * passes * bytesOf("i32");
  const cost = { flop: 0, bytes: maxElementCount(root.shape) * traffic };
  const made = context.finish(`${root.op.name} ${shapeText(root.shape)}`, b.statements, cost);
  if (words === undefined) return made;
  // The numbers' memory once more, for the kernel that reads it as words too.
  const { buffer } = context.element(input!.root, zeroAffine, "load");
  return {
    kernel: { ...made.kernel, buffers: [...made.kernel.buffers, words] },
    buffers: [...made.buffers, context.memoryOf(buffer)],
  };
}

/** The memory of f64 as words of 32 bits, the lower first. */
const wordsOf = ({ name, elements, scope }: KernelBuffer): KernelBuffer => ({
  name: `${name} as words`,
  dtype: "i32",
  elements: multiplySizes(elements, 2),
  access: "read",
  scope,
});

/** A key whose order as 32 unsigned bits is that of the elements; NaN is above everything, −0 and 0 are one. */
function keyOf(b: KernelBuilder, x: Value): Value {
  const number = (value: number): Value => b.constant("i32", value);
  if (x.dtype === "bool") return b.convert("i32", x);
  if (x.dtype === "u32") return b.bitcast("i32", x);
  if (x.dtype === "i32") return b.binary("xor", x, number(signBit));
  const bits = b.bitcast("i32", b.binary("add", x, b.constant("f32", 0)));
  // Negative numbers have their magnitude's bits turned round: then they are ordered as integers.
  const magnitude = b.binary("and", b.binary("shiftRight", bits, number(31)), number(largestKey));
  const ordered = b.select(b.compare("equal", x, x), b.binary("xor", bits, magnitude), number(largestKey));
  return b.binary("xor", ordered, number(signBit));
}

/** The same of an f64 whose words are `low` and `high`, as two words. */
function wideKeyOf(b: KernelBuilder, x: Value, low: Value, high: Value): { low: Value; high: Value } {
  const number = (value: number): Value => b.constant("i32", value);
  const isZero = b.compare("equal", x, b.constant("f64", 0));
  const isNumber = b.compare("equal", x, x);
  const bits = { low: b.select(isZero, number(0), low), high: b.select(isZero, number(0), high) };
  const sign = b.binary("shiftRight", bits.high, number(31));
  const ordered = b.binary("xor", bits.high, b.binary("and", sign, number(largestKey)));
  return {
    low: b.select(isNumber, b.binary("xor", bits.low, sign), number(-1)),
    high: b.binary("xor", b.select(isNumber, ordered, number(largestKey)), number(signBit)),
  };
}
