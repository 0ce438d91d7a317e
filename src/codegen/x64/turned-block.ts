/**
 * A square block of elements, as many rows as there are lanes, read by rows and turned in registers: lane l of vector i is
 * element i of row l, rows `stride` elements apart.
 */
import { bytesOf, type DType } from "../../base/dtype.ts";
import type { Memory, Register } from "./assembler/operands.ts";
import { withBits } from "./assembler/operands.ts";
import { type Emitter, placeAt } from "./emitter.ts";
import type { Lanes } from "./lanes.ts";
import type { Address } from "./scopes.ts";
import type { Storage } from "./storage.ts";

export interface TurnedBlock {
  readonly dtype: DType;
  readonly from: Address;
  readonly stride: number;
}

export function loadTurned(
  e: Emitter,
  lanes: Lanes,
  storage: Storage,
  block: TurnedBlock,
): readonly Register[] {
  const isNarrow = bytesOf(block.dtype) < 4;
  if (lanes.shape.bits === 256 && !isNarrow) return byHalves(e, lanes, block);
  return byWholeRows(lanes, storage, block);
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

/** Words of eight rows, in halves of four: an instruction loads and inserts the second. */
function byHalves(
  e: Emitter,
  lanes: Lanes,
  { from: { base, offset }, stride }: TurnedBlock,
): readonly Register[] {
  const half = (row: number, column: number): Memory =>
    placeAt(base, offset + 4 * (row * stride + column), 128);
  /** Elements column … column + 3 of rows row and row + 4. */
  const rowsFrom = (row: number, column: number): Register => {
    const first = e.code.vector(128);
    e.code.emit("vmovups", first, half(row, column));
    return lanes.op("vinsertf128", withBits(first, lanes.shape.bits), half(row + 4, column), 1);
  };
  return [0, 4].flatMap((column) =>
    turnedFours(
      lanes,
      [0, 1, 2, 3].map((row) => rowsFrom(row, column)),
    ),
  );
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
