/**
 * Products of bytes summed in 32 bits, four steps in depth at a time: operands become words of four bytes that follow each other
 * in depth, read where they lie if they do so in memory, put together while packing else. All sums are exact modulo 2³².
 *
 * One instruction multiplies bytes without sign by bytes with one. Where both operands have one, or neither, the top bit of the
 * smaller one's bytes is turned, which adds or takes 128 from each, and its share of the sum, 128 times the sum of the other
 * operand's bytes, is put right at the end: Σ a·b = Σ a·(b + 128) − 128·Σ a. Where that sum would cost more than it saves (few
 * rows by a matrix), and on processors without such an instruction, bytes are taken apart into pairs of 16-bit integers.
 */
import { maxElementCount, type Shape } from "../../base/shape.ts";
import { addSizes, divideSizes, maxOf, multiplySizes, productOf, type Size } from "../../base/size.ts";
import { addAffine, constantAffine, scaleAffine } from "../../ir/affine.ts";
import type { KernelBuilder } from "../../ir/builder.ts";
import type { Affine, KernelBuffer, Value } from "../../ir/kernel.ts";
import type { ContractionPlan, ContractionRequest } from "./lower.ts";
import { linear } from "./panels.ts";
import type { ContractionOperand } from "./problem.ts";
import { byteProduct, type OperandName, type Product, pairProduct } from "./product.ts";

/** Memory of bytes that a kernel reads as words: both handles mean the same memory. */
export interface WordAlias {
  readonly words: KernelBuffer;
  readonly bytes: KernelBuffer;
}

/** Lowers products of bytes by `lower`, which takes words; undefined where operands are no bytes or their depth no words. */
export function lowerBytes(
  request: ContractionRequest,
  lower: (request: ContractionRequest) => ContractionPlan,
): ContractionPlan | undefined {
  if (!hasWords(request)) return undefined;
  const isSigned = { a: isSignedByte(request.a), b: isSignedByte(request.b) };
  const aliases = new Map<KernelBuffer, KernelBuffer>();
  const words = (name: OperandName, turns: boolean): ContractionOperand =>
    wordsOf(request[name], depthAxis(request, name), turns, aliases);
  const finish = (plans: readonly ContractionPlan[]): ContractionPlan => ({
    kernels: plans.flatMap(({ kernels }) => kernels),
    scratch: plans.flatMap(({ scratch }) => scratch),
    aliases: [...aliases].map(([bytes, handle]) => ({ bytes, words: handle })),
  });
  const isAlike = isSigned.a === isSigned.b;
  if (!request.target.hasByteProducts || (isAlike && isNarrow(request)))
    return finish([
      lower({ ...request, a: words("a", false), b: words("b", false), product: pairProduct(isSigned) }),
    ]);
  const turned = isAlike ? smaller(request) : undefined;
  const other = turned === "a" ? "b" : "a";
  const withoutSign = isAlike ? (isSigned.a ? turned! : other) : isSigned.a ? "b" : "a";
  const main = {
    ...request,
    a: words("a", turned === "a"),
    b: words("b", turned === "b"),
    product: byteProduct(withoutSign),
  };
  if (turned === undefined) return finish([lower(main)]);
  const sums = sumsOf(request, other, { a: main.a, b: main.b, product: main.product, isSigned: isSigned.a });
  return finish([
    lower(sums.request),
    { kernels: [], scratch: [sums.buffer] },
    lower({
      ...main,
      epilogue: (b, sum, at) => request.epilogue(b, b.binary("add", sum, sums.load(b, at)), at),
    }),
  ]);
}

/** Rows or columns up to which a further pass over the larger operand is not worth its while. */
const fewRows = 16;

const bytesInWord = 4;
const topBits = 0x80808080 | 0;
const ones = 0x01010101;

const isByte = ({ buffer, produced }: ContractionOperand): boolean =>
  produced === undefined && (buffer.dtype === "i8" || buffer.dtype === "u8");
const isSignedByte = ({ buffer }: ContractionOperand): boolean => buffer.dtype === "i8";

/** The last axis of the depth in an operand's view. */
const depthAxis = ({ a, axes }: ContractionRequest, name: OperandName): number =>
  name === "a" ? a.view.shape.length - 1 : axes.batch + axes.depth - 1;

function hasWords(request: ContractionRequest): boolean {
  const { a, b, dtype, axes } = request;
  if (dtype !== "i32" || !isByte(a) || !isByte(b) || axes.depth === 0) return false;
  const size = a.view.shape[depthAxis(request, "a")]!;
  return typeof size === "number" && size > 0 && size % bytesInWord === 0;
}

/** Result axes of each operand alone. */
function ownSizes({ a, shape, axes }: ContractionRequest): Readonly<Record<OperandName, Shape>> {
  const end = a.view.shape.length - axes.depth;
  return { a: shape.slice(axes.batch, end), b: shape.slice(end) };
}

function isNarrow(request: ContractionRequest): boolean {
  const own = ownSizes(request);
  return Math.min(maxElementCount(own.a), maxElementCount(own.b)) <= fewRows;
}

const smaller = (request: ContractionRequest): OperandName => {
  const own = ownSizes(request);
  return maxElementCount(own.a) < maxElementCount(own.b) ? "a" : "b";
};

// ---- words ------------------------------------------------------------------------------------------------------

/** An operand as words along an axis of its view; `turns`: with the top bit of each byte turned. */
function wordsOf(
  operand: ContractionOperand,
  axis: number,
  turns: boolean,
  aliases: Map<KernelBuffer, KernelBuffer>,
): ContractionOperand {
  const turn = (b: KernelBuilder, word: Value): Value =>
    turns ? b.binary("xor", word, b.constant("i32", topBits)) : word;
  const found = inPlace(operand, axis, aliases);
  if (found !== undefined)
    return turns ? { ...found, produced: { others: [], value: (b, [word]) => turn(b, word!) } } : found;
  const { view, buffer, base } = operand;
  const stride = view.strides[axis]!;
  const source = (i: number): ContractionOperand => ({
    buffer,
    ...(base !== undefined && { base }),
    view: {
      shape: view.shape.with(axis, (view.shape[axis] as number) / bytesInWord),
      strides: view.strides.with(axis, multiplySizes(stride, bytesInWord)),
      offset: addSizes(view.offset, multiplySizes(stride, i)),
    },
  });
  const [first, ...others] = [0, 1, 2, 3].map(source) as [ContractionOperand, ...ContractionOperand[]];
  return { ...first, produced: { others, value: (b, bytes) => turn(b, joined(b, bytes)) } };
}

/** Four bytes as one word, the first lowest. */
function joined(b: KernelBuilder, bytes: readonly Value[]): Value {
  const parts = bytes.map((byte, i) => {
    // What a sign puts above the byte is shifted out of the last one.
    const part = i === bytesInWord - 1 ? byte : b.binary("and", byte, b.constant("i32", 255));
    return i === 0 ? part : b.binary("shiftLeft", part, b.constant("i32", 8 * i));
  });
  return parts.reduce((word, part) => b.binary("or", word, part));
}

/** The same memory seen as words, where four bytes that follow each other in depth are one. */
function inPlace(
  { view, buffer, base }: ContractionOperand,
  axis: number,
  aliases: Map<KernelBuffer, KernelBuffer>,
): ContractionOperand | undefined {
  const quarter = (size: Size): Size | undefined => divideSizes(size, bytesInWord);
  const strides = view.strides.map((stride, i) => (i === axis ? 1 : quarter(stride)));
  const [offset, elements] = [quarter(view.offset), buffer.elements];
  const words = base === undefined ? undefined : quarterOf(base);
  if (view.strides[axis] !== 1 || offset === undefined || typeof elements !== "number") return undefined;
  if (!strides.every((stride) => stride !== undefined) || (base !== undefined && words === undefined))
    return undefined;
  let handle = aliases.get(buffer);
  if (handle === undefined) {
    handle = {
      name: `${buffer.name} as words`,
      dtype: "i32",
      elements: Math.floor(elements / bytesInWord),
      access: "read",
      scope: buffer.scope,
    };
    aliases.set(buffer, handle);
  }
  return {
    buffer: handle,
    view: { shape: view.shape.with(axis, (view.shape[axis] as number) / bytesInWord), strides, offset },
    ...(words !== undefined && { base: words }),
  };
}

function quarterOf({ constant, terms }: Affine): Affine | undefined {
  const first = divideSizes(constant, bytesInWord);
  const parts = terms.map(({ index, stride }) => ({ index, stride: divideSizes(stride, bytesInWord) }));
  if (first === undefined || parts.some(({ stride }) => stride === undefined)) return undefined;
  return parts.reduce(
    (sum, { index, stride }) =>
      addAffine(sum, scaleAffine({ constant: 0, terms: [{ index, stride: 1 }] }, stride!)),
    constantAffine(first),
  );
}

// ---- what turning added -----------------------------------------------------------------------------------------

interface Sums {
  readonly request: ContractionRequest;
  readonly buffer: KernelBuffer;
  /** What is to be added to a result. */
  load(b: KernelBuilder, at: readonly Affine[]): Value;
}

/** ∓128 times the sums of one operand's bytes: its product with ones. */
function sumsOf(
  { name, shape, axes, a, ...request }: ContractionRequest,
  which: OperandName,
  main: {
    readonly a: ContractionOperand;
    readonly b: ContractionOperand;
    readonly product: Product;
    readonly isSigned: boolean;
  },
): Sums {
  const end = a.view.shape.length - axes.depth;
  const own = which === "a" ? shape.slice(axes.batch, end) : shape.slice(end);
  const sizes = [...shape.slice(0, axes.batch), ...own];
  const buffer: KernelBuffer = {
    name: `sums for ${name}`,
    dtype: "i32",
    elements: maxOf(productOf(sizes)),
    access: "readwrite",
    scope: "program",
  };
  const { view } = main.a;
  const alone = [...view.shape.slice(0, axes.batch), ...view.shape.slice(end)];
  const allOnes: ContractionOperand = {
    buffer: main[which].buffer,
    view: { shape: alone, strides: alone.map(() => 0), offset: 0 },
    ...(main[which].base !== undefined && { base: main[which].base }),
    produced: { others: [], value: (b) => b.constant("i32", ones) },
  };
  return {
    buffer,
    load: (b, at) => {
      const place = [
        ...at.slice(0, axes.batch),
        ...(which === "a" ? at.slice(axes.batch, end) : at.slice(end)),
      ];
      return b.load(buffer, linear(place, sizes));
    },
    request: {
      ...request,
      name: `${name}, sums of bytes`,
      a: which === "a" ? main.a : allOnes,
      b: which === "b" ? main.b : allOnes,
      product: main.product,
      shape: sizes,
      axes,
      epilogue: (b, sum, at) =>
        b.store(
          buffer,
          linear(at, sizes),
          b.binary("mul", sum, b.constant("i32", main.isSigned ? -128 : 128)),
        ),
    },
  };
}
