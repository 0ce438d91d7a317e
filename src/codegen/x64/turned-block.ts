/**
 * A block of elements, as many rows as there are lanes, read by rows and turned in registers: lane l of vector i is element i of row
 * l, rows `stride` elements apart.
 */
import { bytesOf, type DType } from "../../base/dtype.ts";
import type { Memory, Register } from "./assembler/operands.ts";
import { withBits } from "./assembler/operands.ts";
import { type Emitter, placeAt } from "./emitter.ts";
import type { Lanes, Vectors } from "./lanes.ts";
import type { Address } from "./scopes.ts";
import type { Storage } from "./storage.ts";

export interface TurnedBlock {
  readonly dtype: DType;
  readonly from: Address;
  readonly stride: number;
  /** Elements of each row: as many as lanes, or 16 bytes where that is more. */
  readonly count: number;
}

/** Where the vectors of a run of stores go: lane l at `to` + l × `laneBytes`, the first `count` of them. */
export interface TurnedStore {
  readonly to: Address;
  readonly laneBytes: number;
  readonly count: number;
}

/** Stores four or two vectors of 32-bit elements, those of a lane side by side. */
export function storeTurned(
  e: Emitter,
  lanes: Lanes,
  vectors: readonly Register[],
  { to: { base, offset }, laneBytes, count }: TurnedStore,
): void {
  const place = (lane: number, bits: 64 | 128): Memory => placeAt(base, offset + lane * laneBytes, bits);
  // The second of each pair of vectors is needed no more before the next pair is touched: registers are short here.
  const pairs = [];
  for (let i = 0; i < vectors.length; i += 2) {
    const [a, b] = [vectors[i]!, vectors[i + 1]!];
    pairs.push([lanes.op("vunpcklps", a, b), lanes.op("vunpckhps", a, b)] as const);
  }
  const [first, second] = pairs;
  for (const half of [0, 1] as const) {
    if (second === undefined) storePairs(e, lanes, first![half], { half, count, place });
    else
      for (const name of ["vunpcklpd", "vunpckhpd"] as const) {
        const fours = lanes.op(name, first![half], second[half]);
        const lane = 2 * half + (name === "vunpcklpd" ? 0 : 1);
        for (let chunk = 0; 4 * chunk + lane < Math.min(count, lanes.shape.lanes); chunk++)
          lanes.storeChunk(place(4 * chunk + lane, 128), fours, chunk);
      }
  }
}

/** Four vectors of elements that memory holds as bytes, in one: the first in the lowest bits of each lane. */
export function wordsOfBytes(lanes: Lanes, dtype: DType, vectors: Vectors): Register {
  const whole = (x: Register): Register =>
    dtype === "bool" ? lanes.convert("bool", "i32", [x])[0]! : lanes.op("vandps", x, lanes.integer(255));
  return vectors
    .map((x, i) => (i === 0 ? whole(x) : lanes.op("vpslld", whole(x), 8 * i)))
    .reduce((a, b) => lanes.op("vorps", a, b));
}

/** Of each 128 bits, two pairs. */
function storePairs(
  e: Emitter,
  lanes: Lanes,
  pairs: Register,
  { half, count, place }: { half: 0 | 1; count: number; place(lane: number, bits: 64): Memory },
): void {
  for (let lane = 2 * half; lane < Math.min(count, lanes.shape.lanes); lane += 4) {
    const chunk = lanes.chunk(pairs, Math.floor(lane / 4));
    e.code.emit("vmovq", place(lane, 64), chunk);
    if (lane + 1 < count) e.code.emit("vpextrq", place(lane + 1, 64), chunk, 1);
  }
}

/** What the loads of a run read, taken out of the block as it is asked for: registers are short where all of it is taken at once. */
export interface TurnedElements {
  element(i: number): Register;
  /** The bits of element i that `mask` leaves, as f32; undefined where the element itself must be had first. */
  maskedNumber(i: number, mask: number): Register | undefined;
}

export function loadTurned(e: Emitter, lanes: Lanes, storage: Storage, block: TurnedBlock): TurnedElements {
  const { dtype, count } = block;
  const rowBytes = bytesOf(dtype) * count;
  if (dtype === "i8" || dtype === "u8" || dtype === "bf16") {
    // Words of several elements, as many bytes of a row as one load takes or a multiple.
    if (rowBytes % 16 === 0) return new WordElements(lanes, dtype, turnedWords(e, lanes, block));
  } else if (bytesOf(dtype) === 4 && lanes.shape.bits === 256) return elements(turnedWords(e, lanes, block));
  if (dtype === "f16" && count === 2) return elements(storage.loadPairsApart(block.from, block.stride));
  return elements(byWholeRows(lanes, storage, block));
}

const elements = (all: readonly Register[]): TurnedElements => ({
  element: (i) => all[i]!,
  maskedNumber: () => undefined,
});

/** Elements of 8 or 16 bits in 32-bit words, the first in the lowest bits. */
class WordElements implements TurnedElements {
  private readonly lanes: Lanes;
  private readonly dtype: "i8" | "u8" | "bf16";
  private readonly words: readonly Register[];
  private readonly taken: Register[] = [];

  constructor(lanes: Lanes, dtype: "i8" | "u8" | "bf16", words: readonly Register[]) {
    this.lanes = lanes;
    this.dtype = dtype;
    this.words = words;
  }

  element(i: number): Register {
    return (this.taken[i] ??= this.take(i));
  }

  private place(i: number): { readonly word: Register; readonly low: number } {
    const perWord = 4 / bytesOf(this.dtype);
    return { word: this.words[Math.floor(i / perWord)]!, low: (i % perWord) * (32 / perWord) };
  }

  /** Widened to fill a word. */
  private take(i: number): Register {
    const { lanes, dtype } = this;
    const { word, low } = this.place(i);
    if (dtype === "bf16")
      return low === 0 ? lanes.op("vpslld", word, 16) : lanes.op("vandps", word, lanes.integer(-65536));
    if (dtype === "i8") return lanes.op("vpsrad", low === 24 ? word : lanes.op("vpslld", word, 24 - low), 24);
    return low === 24
      ? lanes.op("vpsrld", word, 24)
      : lanes.op("vandps", this.shifted(word, low), lanes.integer(255));
  }

  private shifted(word: Register, low: number): Register {
    return low === 0 ? word : this.lanes.op("vpsrld", word, low);
  }

  maskedNumber(i: number, mask: number): Register | undefined {
    if (this.dtype === "bf16" || mask < 1 || mask > 255) return undefined;
    const { word, low } = this.place(i);
    return bitsAsNumber(this.lanes, word, mask, low);
  }
}
/**
 * The bits of a mask, `low` bits up in a word, as f32. Four bits of sixteen lanes are looked up in a table of what they are worth: the
 * instruction sees no others of its indices.
 */
export function bitsAsNumber(lanes: Lanes, word: Register, mask: number, low = 0): Register {
  const lowest = 31 - Math.clz32(mask & -mask);
  const shifted = (by: number): Register => (by === 0 ? word : lanes.op("vpsrld", word, by));
  if (lanes.shape.lanes < 16 || mask >> lowest > 15)
    return lanes.op("vcvtdq2ps", lanes.op("vandps", shifted(low), lanes.integer(mask)));
  const worth = Float32Array.from({ length: 16 }, (_, bits) => (bits << lowest) & mask);
  const table = lanes.e.wordsVector([...new Int32Array(worth.buffer)], lanes.shape.bits);
  return lanes.op("vpermps", shifted(low + lowest), table);
}

/**
 * Whole rows, of 64 bytes a line of the cache each: every line is touched once, so rows that lie a power of two apart and share
 * a set of the cache do not push each other out between two touches.
 */
function byWholeRows(
  lanes: Lanes,
  storage: Storage,
  { dtype, from, stride }: TurnedBlock,
): readonly Register[] {
  const count = lanes.shape.lanes;
  const rows = Array.from({ length: count }, (_, row) => {
    const offset = from.offset + bytesOf(dtype) * row * stride;
    const [loaded] = storage.load(
      dtype,
      { kind: "unit", base: from.base, offset },
      { mask: undefined, count },
    );
    return loaded!;
  });
  // Four rows at a time: each 128 bits hold four elements of a column then.
  const fours = Array.from({ length: count / 4 }, (_, i) => turnedFours(lanes, rows.slice(4 * i, 4 * i + 4)));
  const turned: Register[] = [];
  for (let column = 0; column < 4; column++) {
    const [a, b, c, d] = fours.map((four) => four[column]!);
    if (c === undefined || d === undefined) {
      turned[column] = lanes.op("vperm2f128", a!, b!, lowHalves);
      turned[column + 4] = lanes.op("vperm2f128", a!, b!, highHalves);
      continue;
    }
    const [low, high] = [lanes.op("vshuff32x4", a!, b!, even), lanes.op("vshuff32x4", c, d, even)];
    const [lowNext, highNext] = [lanes.op("vshuff32x4", a!, b!, odd), lanes.op("vshuff32x4", c, d, odd)];
    turned[column] = lanes.op("vshuff32x4", low, high, even);
    turned[column + 4] = lanes.op("vshuff32x4", lowNext, highNext, even);
    turned[column + 8] = lanes.op("vshuff32x4", low, high, odd);
    turned[column + 12] = lanes.op("vshuff32x4", lowNext, highNext, odd);
  }
  return turned;
}

/** Of the 128-bit parts of both operands, the first and third, or the second and fourth; of two halves, the lower or upper. */
const even = 0x88;
const odd = 0xdd;
const lowHalves = 0x20;
const highHalves = 0x31;

/** Words of all rows, 16 bytes of a row at a time: rows four apart are put beside each other as they are loaded. */
function turnedWords(
  e: Emitter,
  lanes: Lanes,
  { dtype, from: { base, offset }, stride, count }: TurnedBlock,
): readonly Register[] {
  const rows = lanes.shape.lanes;
  const insert = lanes.shape.bits === 512 ? "vinsertf32x4" : "vinsertf128";
  const piece = (row: number, byte: number): Memory =>
    placeAt(base, offset + bytesOf(dtype) * row * stride + byte, 128);
  const rowsFrom = (row: number, byte: number): Register => {
    const first = e.code.vector(128);
    e.code.emit("vmovups", first, piece(row, byte));
    let whole = withBits(first, lanes.shape.bits);
    for (let part = 1; 4 * part < rows; part++)
      whole = lanes.op(insert, whole, piece(row + 4 * part, byte), part);
    return whole;
  };
  const pieces = (bytesOf(dtype) * count) / 16;
  return Array.from({ length: pieces }, (_, i) =>
    turnedFours(
      lanes,
      [0, 1, 2, 3].map((row) => rowsFrom(row, 16 * i)),
    ),
  ).flat();
}

/** Squares of four by four, turned within 128 bits: vector i has element i of each row. */
function turnedFours(lanes: Lanes, rows: readonly Register[]): readonly Register[] {
  const [a, b, c, d] = rows as [Register, Register, Register, Register];
  const [low, lowNext] = [lanes.op("vunpcklps", a, b), lanes.op("vunpcklps", c, d)];
  const [high, highNext] = [lanes.op("vunpckhps", a, b), lanes.op("vunpckhps", c, d)];
  return [
    lanes.op("vunpcklpd", low, lowNext),
    lanes.op("vunpckhpd", low, lowNext),
    lanes.op("vunpcklpd", high, highNext),
    lanes.op("vunpckhpd", high, highNext),
  ];
}
