/**
 * Blocks of few bits put in the order in which products of few rows read them: panels of neighbouring rows, in which numbers that meet the
 * same element of x lie side by side, a lane each. As files hold them they would have to be turned in registers each time.
 */
/** Rows of so many blocks: `header` scales, then the whole numbers of the block's elements. */
export interface BlockForm {
  readonly bits: 4 | 8;
  readonly elements: 16 | 32;
  readonly scales: "f16" | "f32";
  readonly blockBytes: number;
  readonly header: number;
  readonly blocks: number;
}

/** Whole numbers and scales apart. */
export interface Parts {
  readonly quants: Uint8Array<ArrayBuffer>;
  readonly scales: Uint16Array<ArrayBuffer> | Float32Array<ArrayBuffer>;
}

/** Sizes of panels: four or three registers of 16 lanes have as many sums under way as hide how long an addition takes. */
const sizes = [64, 48, 32, 16];

/** How many rows a panel has, so that threads get as many panels each if that can be; 1 where no size divides the rows. */
export function panelSize(rows: number): number {
  const dividing = sizes.filter((size) => rows % size === 0);
  return dividing.find((size) => (rows / size) % 4 === 0) ?? dividing[0] ?? 1;
}

/**
 * Quants (panels, blocks, bytes, rows of a panel), 4-bit numbers two a byte, 2i + 1 above 2i; scales (panels, blocks, header, rows of a
 * panel).
 */
export function inPanels(
  bytes: Uint8Array,
  { bits, blockBytes, elements, scales: scaleType, header, blocks }: BlockForm,
  { rows, panel: size }: { readonly rows: number; readonly panel: number },
): Parts {
  const numbers = (elements * bits) / 8;
  const quants = new Uint8Array(rows * blocks * numbers);
  const isWide = scaleType === "f32";
  const scaleBytes = isWide ? 4 : 2;
  const scales = new (isWide ? Float32Array : Uint16Array)(rows * blocks * header);
  const source = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const rowBytes = blocks * blockBytes;
  for (let row = 0; row < rows; row++) {
    const [panel, lane] = [Math.floor(row / size), row % size];
    for (let block = 0; block < blocks; block++) {
      const from = row * rowBytes + block * blockBytes;
      const at = panel * blocks + block;
      for (let i = 0; i < header; i++) {
        const place = from + scaleBytes * i;
        scales[(at * header + i) * size + lane] = isWide
          ? source.getFloat32(place, true)
          : source.getUint16(place, true);
      }
      const first = from + scaleBytes * header;
      let to = at * numbers * size + lane;
      if (bits === 8) for (let i = 0; i < numbers; i++, to += size) quants[to] = bytes[first + i]!;
      else
        for (let i = 0; i < 8; i++, to += size) {
          const [a, b] = [bytes[first + 2 * i]!, bytes[first + 2 * i + 1]!];
          // Elements 16 to 31 are the upper numbers of the bytes.
          quants[to] = (a & 15) | ((b & 15) << 4);
          quants[to + 8 * size] = (a >> 4) | (b & 240);
        }
    }
  }
  return { quants, scales };
}
