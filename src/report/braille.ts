/** A canvas of dots: each character holds 2 × 4 of them. */

/** The bit of a dot in its character, by row and column (Unicode, "Braille Patterns"). */
const bits = [
  [0x01, 0x08],
  [0x02, 0x10],
  [0x04, 0x20],
  [0x40, 0x80],
] as const;

export class BrailleCanvas {
  readonly columns: number;
  readonly rows: number;
  readonly #cells: Uint8Array;
  /** Which series drew last in a cell. */
  readonly #owners: Uint8Array;

  constructor(columns: number, rows: number) {
    this.columns = columns;
    this.rows = rows;
    this.#cells = new Uint8Array(columns * rows);
    this.#owners = new Uint8Array(columns * rows);
  }

  /** A dot at x of 0 … 2·columns − 1 and y of 0 … 4·rows − 1 from the top; others are not drawn. */
  dot(x: number, y: number, owner: number): void {
    if (!(x >= 0 && x < 2 * this.columns && y >= 0 && y < 4 * this.rows)) return;
    const cell = Math.floor(y / 4) * this.columns + Math.floor(x / 2);
    this.#cells[cell]! |= bits[y % 4]![x % 2]!;
    this.#owners[cell] = owner;
  }

  /** Dots from one to the other, without gaps. */
  line(x0: number, y0: number, x1: number, y1: number, owner: number): void {
    const steps = Math.max(Math.abs(x1 - x0), Math.abs(y1 - y0), 1);
    for (let i = 0; i <= steps; i++)
      this.dot(Math.round(x0 + ((x1 - x0) * i) / steps), Math.round(y0 + ((y1 - y0) * i) / steps), owner);
  }

  /** @param paint colours a character by who drew it last */
  lines(paint: (character: string, owner: number) => string = (character) => character): string[] {
    return Array.from({ length: this.rows }, (_, row) =>
      Array.from({ length: this.columns }, (_, column) => {
        const cell = row * this.columns + column;
        const dots = this.#cells[cell]!;
        return dots === 0 ? " " : paint(String.fromCharCode(0x2800 + dots), this.#owners[cell]!);
      }).join(""),
    );
  }
}
