/** All operators that are read. */
import type { Rows } from "../request.ts";
import { control } from "./control.ts";
import { elementwise } from "./elementwise.ts";
import { indexing } from "./indexed.ts";
import { loops } from "./loop.ts";
import { neural } from "./neural.ts";
import { products } from "./products.ts";
import { quantization } from "./quantized.ts";
import { recurrence } from "./recurrent.ts";
import { reduce } from "./reduce.ts";
import { resizing } from "./resize.ts";
import { sequences } from "./sequences.ts";
import { shapes } from "./shape.ts";

export const rows: Rows = {
  ...elementwise,
  ...reduce,
  ...products,
  ...shapes,
  ...indexing,
  ...neural,
  ...resizing,
  ...recurrence,
  ...control,
  ...loops,
  ...sequences,
  ...quantization,
};

/** Inputs that decide about shapes or about what is computed: they are numbers of the graph, never parameters. */
export const constantInputs: Readonly<Record<string, readonly number[]>> = {
  Clip: [1, 2],
  ConstantOfShape: [0],
  CumSum: [1],
  Dropout: [1, 2],
  Loop: [0, 1],
  OneHot: [1],
  Pad: [1, 2, 3],
  Pow: [1],
  Range: [0, 1, 2],
  Resize: [1, 2, 3],
  Upsample: [1],
};

/** Inputs that are statistics of training: saved and loaded with the parameters, not learnt. */
export const statisticInputs: Readonly<Record<string, readonly number[]>> = { BatchNormalization: [3, 4] };
