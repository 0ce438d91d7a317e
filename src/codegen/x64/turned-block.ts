/**
 * A square block of 32-bit elements, as many rows as there are lanes, read by rows and turned in registers: lane l of
 * vector i is element i of row l, rows `stride` elements apart.
 */
import type { Memory, Register } from "./assembler/operands.ts";
import { withBits } from "./assembler/operands.ts";
import { type Emitter, placeAt } from "./emitter.ts";
import type { Lanes } from "./lanes.ts";
import type { Address } from "./scopes.ts";

export function loadTurned(e: Emitter, lanes: Lanes, from: Address, stride: number): readonly Register[] {
  return lanes.shape.bits === 512 ? byWholeRows(lanes, from, stride) : byQuarters(e, lanes, from, stride);
}

/**
 * Whole rows, a line of the cache each: every line is touched once, so rows that lie a power of two apart and share
 * a set of the cache do not push each other out between two touches.
 */
function byWholeRows(lanes: Lanes, { base, offset }: Address, stride: number): readonly Register[] {
  const rows = Array.from({ length: 16 }, (_, row) =>
    lanes.op("vmovups", placeAt(base, offset + 4 * row * stride)),
  );
  // Four rows at a time: each 128 bits hold four elements of a column then.
  const fours = [0, 4, 8, 12].map((row) => turnedFours(lanes, rows.slice(row, row + 4)));
  const turned: Register[] = [];
  for (let column = 0; column < 4; column++) {
    const [a, b, c, d] = fours.map((four) => four[column]!) as [Register, Register, Register, Register];
    const [low, high] = [lanes.op("vshuff32x4", a, b, even), lanes.op("vshuff32x4", c, d, even)];
    const [lowNext, highNext] = [lanes.op("vshuff32x4", a, b, odd), lanes.op("vshuff32x4", c, d, odd)];
    turned[column] = lanes.op("vshuff32x4", low, high, even);
    turned[column + 4] = lanes.op("vshuff32x4", lowNext, highNext, even);
    turned[column + 8] = lanes.op("vshuff32x4", low, high, odd);
    turned[column + 12] = lanes.op("vshuff32x4", lowNext, highNext, odd);
  }
  return turned;
}

/** Of the 128-bit parts of both operands, the first and third, or the second and fourth. */
const even = 0x88;
const odd = 0xdd;

/** Four elements of four rows at a time, in all 128-bit parts at once. */
function byQuarters(
  e: Emitter,
  lanes: Lanes,
  { base, offset }: Address,
  stride: number,
): readonly Register[] {
  const count = lanes.shape.lanes;
  const quarter = (row: number, column: number): Memory =>
    placeAt(base, offset + 4 * (row * stride + column), 128);
  /** Elements column … column + 3 of rows row and row + 4. */
  const rowsFrom = (row: number, column: number): Register => {
    const first = e.code.vector(128);
    e.code.emit("vmovups", first, quarter(row, column));
    return lanes.op("vinsertf128", withBits(first, lanes.shape.bits), quarter(row + 4, column), 1);
  };
  const turned: Register[] = [];
  for (let column = 0; column < count; column += 4)
    turned.push(
      ...turnedFours(
        lanes,
        [0, 1, 2, 3].map((row) => rowsFrom(row, column)),
      ),
    );
  return turned;
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
