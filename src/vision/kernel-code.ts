/** Loops over bytes of pixels as WebAssembly, with vectors of 16 bytes. */
import { ModuleBuilder } from "../codegen/wasm/module.ts";
import type { ValueType } from "../codegen/wasm/opcodes.ts";
import { type Emit, Writer } from "../codegen/wasm/writer.ts";
import { fixedBits } from "./weights.ts";

/**
 * Weights have 22 bits after the point: their product with a byte does not fit the 16-bit multiplication that vectors have. Their upper
 * part and their lower 11 bits do: Σ pixel · weight = 2^11 · Σ pixel · upper + Σ pixel · lower, to the last bit. Two inputs go into one
 * multiplication, so weights stand in pairs, the last with a zero where their number is odd: two upper parts, two lower parts, i16 each.
 */
export const lowerBits = 11;
export const pairBytes = 8;
/** Rows that `across` takes at a time. */
export const rowsAtOnce = 4;
/** As much may be read and written past either end of an image. */
export const slackBytes = 16;

type Call = (...numbers: readonly number[]) => void;

/** What the module exports: `across3` and `mirrored3` for three channels. */
export type PixelKernel = Readonly<
  Record<`across${1 | 2 | 3 | 4}` | `mirrored${1 | 2 | 3 | 4}` | "down" | "lookedUp", Call>
>;

/** Addresses, and strides in bytes. `starts`: an i32 for each output, how far its first input lies behind `from`. */
const parameters = {
  /** Every row, up to a multiple of four, at another width. */
  across: ["from", "fromStride", "to", "toStride", "rows", "width", "starts", "weights", "pairs"],
  /** Rows, each a sum of rows, of `length` bytes up to a multiple of 16. */
  down: ["from", "fromStride", "to", "toStride", "rows", "length", "starts", "weights", "pairs"],
  /** Rows of pixels in reverse. */
  mirrored: ["from", "to", "rows", "rowBytes"],
  /** For every `step`-th byte what stands in a table of f32; their number up to a multiple of four. */
  lookedUp: ["from", "step", "to", "count", "table"],
} as const;

const zero = 0x80;
const indices = (length: number, value: (i: number) => number): number[] =>
  Array.from({ length }, (_, i) => value(i));
const everyLane = (value: number): number[] => indices(16, (i) => (value >> (8 * (i % 4))) & 0xff);

/** The module's bytes. */
export function pixelModule(pages: {
  readonly initialPages: number;
  readonly maximumPages: number;
}): Uint8Array {
  const module = new ModuleBuilder("pixels", { shared: false, ...pages });
  const define = (name: string, kind: keyof typeof parameters, body: (w: Writer) => void): void => {
    const w = new Writer(parameters[kind]);
    body(w);
    const index = module.declare();
    const type = { parameters: parameters[kind].map((): ValueType => "i32"), results: [] };
    module.define(index, name, type, w.locals, [w.code]);
    module.export(name, index);
  };
  for (let channels = 1; channels <= 4; channels++) {
    define(`across${channels}`, "across", (w) => across(w, channels));
    define(`mirrored${channels}`, "mirrored", (w) => mirrored(w, channels));
  }
  define("down", "down", down);
  define("lookedUp", "lookedUp", lookedUp);
  return module.encode();
}

/** Sums of upper parts start at a half, so that cutting off rounds. */
const half = 1 << (fixedBits - 1 - lowerBits);

/** What the sums have come to, four numbers. */
const total = (w: Writer, upper: string, lower: string): Emit =>
  w.op(
    "i32x4.shr_s",
    w.op("i32x4.add", w.op("i32x4.shl", w.get(upper), w.i32(lowerBits)), w.get(lower)),
    w.i32(fixedBits),
  );

/** Sixteen sums as bytes, clipped. */
const bytesOfSums = (w: Writer): Emit => {
  const [a, b, c, d] = indices(4, (i) => i).map((i) => total(w, `upper${i}`, `lower${i}`)) as [
    Emit,
    Emit,
    Emit,
    Emit,
  ];
  return w.op("i8x16.narrow_i16x8_u", w.op("i16x8.narrow_i32x4_s", a, b), w.op("i16x8.narrow_i32x4_s", c, d));
};

function declareSums(w: Writer): void {
  w.declare(
    "v128",
    ...indices(4, (i) => i).flatMap((i) => [`upper${i}`, `lower${i}`]),
    "upperWeights",
    "lowerWeights",
  );
  w.declare("i32", "pair", "weight", "start", "end");
}

function beginSums(w: Writer): void {
  for (let i = 0; i < 4; i++) {
    w.set(`upper${i}`, w.v128(everyLane(half)));
    w.set(`lower${i}`, w.v128(everyLane(0)));
  }
  w.set("pair", w.get("pairs"));
}

/** Adds products of pairs of i16: `values` are pixels. */
function addProducts(w: Writer, i: number, values: Emit): void {
  w.set("values", values);
  for (const part of ["upper", "lower"])
    w.set(`${part}${i}`, w.op("i32x4.add", w.get(`${part}${i}`), w.op("i32x4.dot_i16x8_s", w.get("values"), w.get(`${part}Weights`)))); // biome-ignore format: one sum
}

function loadWeights(w: Writer): void {
  w.set("upperWeights", w.load("v128.load32_splat", w.get("weight")));
  w.set("lowerWeights", w.load("v128.load32_splat", w.get("weight"), 4));
  w.advance("weight", w.i32(pairBytes));
}

/** One less pair to do; whether any is left. */
const isPairLeft = (w: Writer): Emit => w.tee("pair", w.op("i32.sub", w.get("pair"), w.i32(1)));

/** Four rows at a time: lane c of sum i is channel c in row i. */
function across(w: Writer, channels: number): void {
  const { get, i32, add } = w;
  declareSums(w);
  w.declare("v128", "values", "bytes");
  w.declare("i32", "outputs", "left", "place", "row0", "row1", "row2", "row3");
  // Channel c of a pixel and of the next one, as i16.
  const pairs = indices(16, (b) => {
    const channel = b >> 2;
    return b % 2 === 1 || channel >= channels ? zero : channel + (b % 4 === 2 ? channels : 0);
  });
  w.repeat(
    () => {
      w.set("weight", get("weights"));
      w.set("start", get("starts"));
      w.set("left", get("width"));
      w.set("outputs", get("to"));
      w.repeat(
        () => {
          beginSums(w);
          w.set("row0", add(get("from"), w.load("i32.load", get("start"))));
          for (let row = 1; row < rowsAtOnce; row++)
            w.set(`row${row}`, add(get(`row${row - 1}`), get("fromStride")));
          w.repeat(() => {
            loadWeights(w);
            for (let row = 0; row < rowsAtOnce; row++) {
              const bytes = w.load("v128.load64_zero", get(`row${row}`));
              addProducts(w, row, w.op("i8x16.swizzle", bytes, w.v128(pairs)));
              w.advance(`row${row}`, i32(2 * channels));
            }
          }, isPairLeft(w));
          w.set("bytes", bytesOfSums(w));
          w.set("place", get("outputs"));
          for (let row = 0; row < rowsAtOnce; row++) {
            storePixel(w, row, channels);
            if (row < rowsAtOnce - 1) w.advance("place", get("toStride"));
          }
          w.advance("outputs", i32(channels));
          w.advance("start", i32(4));
        },
        w.tee("left", w.op("i32.sub", get("left"), i32(1))),
      );
      w.advance("from", w.op("i32.mul", get("fromStride"), i32(rowsAtOnce)));
      w.advance("to", w.op("i32.mul", get("toStride"), i32(rowsAtOnce)));
      w.set("rows", w.op("i32.sub", get("rows"), i32(rowsAtOnce)));
    },
    w.op("i32.gt_s", get("rows"), i32(0)),
  );
}

/** The first bytes of a quarter of 16. */
function storePixel(w: Writer, row: number, channels: number): void {
  const { get } = w;
  if (channels === 4) return w.storeLane("v128.store32_lane", get("place"), get("bytes"), row);
  if (channels > 1) w.storeLane("v128.store16_lane", get("place"), get("bytes"), 2 * row);
  if (channels !== 2)
    w.storeLane("v128.store8_lane", get("place"), get("bytes"), 4 * row + channels - 1, channels - 1);
}

/** Sixteen bytes at a time. */
function down(w: Writer): void {
  const { get, i32, add } = w;
  declareSums(w);
  w.declare("v128", "values", "first", "second", "mixed");
  w.declare("i32", "place", "offset");
  const [low, high] = [0, 8].map((from) => indices(16, (b) => from + (b >> 1) + (b % 2) * 16)) as [
    number[],
    number[],
  ];
  w.repeat(
    () => {
      w.set("offset", i32(0));
      w.repeat(
        () => {
          beginSums(w);
          w.set("weight", get("weights"));
          w.set("place", add(add(get("from"), w.load("i32.load", get("starts"))), get("offset")));
          w.repeat(() => {
            loadWeights(w);
            w.set("first", w.load("v128.load", get("place")));
            w.set("second", w.load("v128.load", w.tee("place", add(get("place"), get("fromStride")))));
            w.advance("place", get("fromStride"));
            for (const [i, lanes] of [low, high].entries()) {
              w.set("mixed", w.shuffle(lanes, get("first"), get("second")));
              addProducts(w, 2 * i, w.op("i16x8.extend_low_i8x16_u", get("mixed")));
              addProducts(w, 2 * i + 1, w.op("i16x8.extend_high_i8x16_u", get("mixed")));
            }
          }, isPairLeft(w));
          w.store("v128.store", add(get("to"), get("offset")), bytesOfSums(w));
          w.advance("offset", i32(16));
        },
        w.op("i32.lt_u", get("offset"), get("length")),
      );
      // As many pairs further on.
      w.set("weights", get("weight"));
      w.advance("starts", i32(4));
      w.advance("to", get("toStride"));
    },
    w.tee("rows", w.op("i32.sub", get("rows"), i32(1))),
  );
}

/** As many whole pixels as go into 16 bytes at a time. What is written too much, the next row overwrites. */
function mirrored(w: Writer, channels: number): void {
  const { get, i32, add } = w;
  w.declare("i32", "place", "left");
  const pixels = Math.floor(16 / channels);
  const reversed = indices(16, (b) => {
    const pixel = Math.floor(b / channels);
    return pixel < pixels ? 16 - channels * (pixel + 1) + (b % channels) : zero;
  });
  w.repeat(
    () => {
      w.advance("from", get("rowBytes"));
      w.set("place", w.op("i32.sub", get("from"), i32(16)));
      w.set("left", get("rowBytes"));
      w.repeat(
        () => {
          const bytes = w.op("i8x16.swizzle", w.load("v128.load", get("place")), w.v128(reversed));
          w.store("v128.store", w.op("i32.sub", add(get("to"), get("rowBytes")), get("left")), bytes);
          w.advance("place", i32(-pixels * channels));
          w.set("left", w.op("i32.sub", get("left"), i32(pixels * channels)));
        },
        w.op("i32.gt_s", get("left"), i32(0)),
      );
      w.advance("to", get("rowBytes"));
    },
    w.tee("rows", w.op("i32.sub", get("rows"), i32(1))),
  );
}

function lookedUp(w: Writer): void {
  const { get, i32, add } = w;
  const found = w.load(
    "f32.load",
    add(get("table"), w.op("i32.shl", w.load("i32.load8_u", get("from")), i32(2))),
  );
  w.repeat(
    () => {
      for (let i = 0; i < 4; i++) {
        w.store("f32.store", get("to"), found, 4 * i);
        w.advance("from", get("step"));
      }
      w.advance("to", i32(16));
      w.set("count", w.op("i32.sub", get("count"), i32(4)));
    },
    w.op("i32.gt_s", get("count"), i32(0)),
  );
}
