/**
 * argsort as a radix sort, least significant byte first: stable, no comparison, the same work for any input. Elements become
 * 32-bit keys whose unsigned order is theirs; four passes over a row count bytes, add the counts up and place keys and indices.
 */
import { bytesOf } from "../base/dtype.ts";
import { maxElementCount, shapeText } from "../base/shape.ts";
import { maxOf } from "../base/size.ts";
import { contiguousView } from "../graph/view.ts";
import { addAffine, constantAffine, viewAddress, zeroAffine } from "../ir/affine.ts";
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
    b.vector("i", length, (i) => {
      const element = context.element(input!.root, viewAddress(input!.view, [...row, i]), "load");
      const key = keyOf(b, b.load(element.buffer, element.address));
      b.store(...at(own.keys, i), descending ? b.unary("not", key) : key);
      b.store(...at(own.order, i), b.index(i));
    });
    // An even number of passes: the last one ends in the result.
    for (let pass = 0; pass < passes; pass++) {
      const [from, to] = pass % 2 === 0 ? [own, other] : [other, own];
      countDigits(from.keys, pass);
      place(from, to, pass);
    }
  });
  const bytes = maxElementCount(root.shape) * (bytesOf(root.inputs[0]!.dtype) + 4 * passes * bytesOf("i32"));
  return context.finish(`${root.op.name} ${shapeText(root.shape)}`, b.statements, { flop: 0, bytes });
}

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
