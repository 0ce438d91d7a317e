/**
 * Weights of few bits, kept as they are: blocks of 32 small whole numbers with a scale of their own. What a layer reads is computed
 * from them, and a product computes it as it goes along, so that no copy in full precision lies in memory.
 */
import { hasMachineCode } from "#platform";
import type { DType } from "../base/dtype.ts";
import { ArgumentError, ShapeError } from "../base/errors.ts";
import type { HostArray } from "../base/host-array.ts";
import { MappedArray } from "../base/mapped-array.ts";
import { checkOptions } from "../base/options.ts";
import { shapeText } from "../base/shape.ts";
import { arange, rematerialize, StateTensor, type Tensor, tensor } from "../tensor/index.ts";
import { Embedding } from "./embedding.ts";
import { type KType, kForms, plainBlocks, superSize } from "./k-blocks.ts";
import { Linear } from "./linear.ts";
import { Adapter, type Module } from "./module.ts";
import { Parametrization, parametrize, removeParametrization } from "./parametrize.ts";
import { isRoundedType, quantizeBlocks, type RoundedType, roundedTypes } from "./quantize-blocks.ts";
import { inPanels, panelSize } from "./quantized-panels.ts";

/** Elements of a block. */
const blockSize = 32;

/** How a block lies in memory: scales first, then the whole numbers. */
interface Layout {
  readonly bits: 4 | 8;
  /** Of a block that shares scales, and its elements: what K-quants are taken apart into. */
  readonly blockBytes: number;
  readonly elements: 16 | 32;
  readonly scales: "f16" | "f32";
  /** Whether a minimum follows the scale: x = scale · q + minimum. */
  readonly hasMinimum: boolean;
}

const ownForm = { elements: blockSize, scales: "f16" } as const;
const layouts = {
  Q4_0: { bits: 4, blockBytes: 18, hasMinimum: false, ...ownForm },
  Q4_1: { bits: 4, blockBytes: 20, hasMinimum: true, ...ownForm },
  Q8_0: { bits: 8, blockBytes: 34, hasMinimum: false, ...ownForm },
  Q4_K: { bits: 4, hasMinimum: true, scales: "f32", ...kForms.Q4_K },
  Q5_K: { bits: 8, hasMinimum: true, scales: "f32", ...kForms.Q5_K },
  Q6_K: { bits: 8, hasMinimum: false, scales: "f32", ...kForms.Q6_K },
} as const satisfies Readonly<Record<string, Layout>>;

const isKType = (type: QuantizedType): type is KType => Object.hasOwn(kForms, type);

/**
 * Layouts of ggml that weights can be kept in: 4 bits about zero, 4 bits above a minimum, 8 bits about zero; 4.5, 5 and 8.5 bits an
 * element with the scales. K-quants take 6 (Q4_K) and 10 bits (Q5_K, Q6_K), their scales multiplied out.
 */
export type QuantizedType = keyof typeof layouts;

/**
 * Whether weights can be kept in a layout.
 *
 * @example isQuantizedType("Q5_0") // false
 */
export const isQuantizedType = (name: string): name is QuantizedType => Object.hasOwn(layouts, name);

const layoutOf = (type: QuantizedType): Layout => {
  if (isQuantizedType(type)) return layouts[type];
  throw new ArgumentError(
    `weights are kept as ${Object.keys(layouts).join(", ")}; got ${JSON.stringify(type)}`,
  );
};

export interface QuantizedInit {
  readonly type: QuantizedType;
  /** (rows, columns) of the weight; columns are a multiple of 32, of 256 for K-quants. */
  readonly shape: readonly [number, number];
  /** The blocks of all rows, u8 (rows, bytes of a row). They are kept in an order of their own. */
  readonly blocks: HostArray | MappedArray;
}

/**
 * A matrix of few bits an element. Reading it gives f32: scale · q, or scale · q + minimum, of each element's block along a row.
 * Nothing of it is learnt.
 *
 * @throws ShapeError for rows that are no whole blocks, and blocks that are not those of the shape
 * @example
 * const blocks = quantizeBlocks(new Float32Array(64).fill(2), "Q8_0");
 * new QuantizedWeight({ type: "Q8_0", shape: [2, 32], blocks: { dtype: "u8", shape: [2, 34], data: blocks } }).forward().shape; // [2, 32]
 */
export class QuantizedWeight extends Parametrization {
  override readonly isFixed = true;
  readonly type: QuantizedType;
  readonly shape: readonly [number, number];
  /** (panels, blocks, bytes, rows of a panel): see `quantized-panels.ts`. */
  readonly quants: StateTensor;
  /** (panels, blocks, scales, rows of a panel) of f16, of K-quants f32. */
  readonly scales: StateTensor;

  constructor({ type, shape, blocks }: QuantizedInit) {
    super();
    const { blockBytes, elements } = layoutOf(type);
    const [rows, columns] = shape;
    // As files have them.
    const [size, bytes] = isKType(type) ? [superSize, kForms[type].superBytes] : [elements, blockBytes];
    const rowBytes = (columns / size) * bytes;
    if (shape.length !== 2 || columns % size !== 0)
      throw new ShapeError(
        `${type} keeps matrices with rows of whole blocks of ${size}, got ${shapeText(shape)}`,
      );
    if (blocks.dtype !== "u8" || blocks.shape[0] !== rows || blocks.shape[1] !== rowBytes)
      throw new ShapeError(
        `${type} of ${shapeText(shape)} are u8 (${rows}, ${rowBytes}), got ${blocks.dtype} ${shapeText(blocks.shape)}`,
      );
    this.type = type;
    this.shape = shape;
    const own = blocks instanceof MappedArray ? blocks.read() : blocks;
    [this.quants, this.scales] = partsOf(type, shape, own);
  }

  forward(): Tensor {
    const values = this.values(this.quants as Tensor, this.scales as Tensor); // (panels, blocks, …, rows of a panel)
    return values.permute([0, 4, 1, 2, 3]).reshape(this.shape) as Tensor;
  }

  /** The rows at `indices` alone: (…) → (…, columns). */
  rows(indices: Tensor): Tensor {
    const parts = [this.quants, this.scales].map((x) => rowsOfPanels(x as Tensor, indices));
    return this.values(...(parts as [Tensor, Tensor])).reshape([...indices.shape, this.shape[1]]) as Tensor;
  }

  /** (…, blocks, bytes, rows) → (…, blocks, 16, 2, rows), or 32 and 1 of 8 bits */
  private values(quants: Tensor, scales: Tensor): Tensor {
    const { bits, hasMinimum } = layoutOf(this.type);
    const [blocks, bytes, rows] = quants.shape.slice(-3) as [number, number, number];
    const size = [...quants.shape.slice(0, -3), blocks, bytes, 8 / bits, rows];
    const spread = (x: Tensor): Tensor => x.broadcastTo(size) as Tensor;
    const scaleAt = (place: number): Tensor =>
      spread(scales.slice(-2, place, place + 1).expandDims(-2) as Tensor).cast("f32") as Tensor;
    const stored = spread(quants.expandDims(-2) as Tensor);
    const scale = scaleAt(0);
    if (bits === 8) {
      const values = stored.cast("f32").mul(scale) as Tensor;
      return hasMinimum ? (values.add(scaleAt(1)) as Tensor) : values;
    }
    // The upper number of a byte stays where it is, 16 times too large.
    const own = (data: readonly number[], dtype: DType): Tensor =>
      spread(tensor(data, { shape: [2, 1], dtype }) as Tensor);
    const numbers = stored
      .cast("i32")
      .and(own([15, 240], "i32"))
      .cast("f32") as Tensor;
    const steps = scale.mul(own([1, 1 / 16], "f32"));
    const least = hasMinimum ? scaleAt(1) : scale.mul(-8);
    return numbers.mul(steps).add(least) as Tensor;
  }

  protected override describe(): string {
    return `${this.type}, ${this.shape.join(" × ")}`;
  }
}

/** (panels, blocks, n, rows of a panel), and rows (…) → (…, blocks, n, 1). */
function rowsOfPanels(panels: Tensor, rows: Tensor): Tensor {
  const [count, blocks, n, size] = panels.shape as [number, number, number, number];
  if (size === 1) return panels.gather(rows, 0) as Tensor;
  // This gather's check says which row of how many there is none.
  const known = (arange(count * size) as Tensor).gather(rows, 0).expandDims(-1).expandDims(-1) as Tensor;
  const lane = known.remainder(size);
  const first = known
    .sub(lane)
    .mul(blocks * n)
    .add(lane);
  const within = (arange(blocks * n) as Tensor).mul(size).reshape([blocks, n]);
  const places = first.add(within as Tensor) as Tensor;
  return panels.reshape([-1]).gather(places, 0).expandDims(-1) as Tensor;
}

function partsOf(
  type: QuantizedType,
  [rows, columns]: readonly [number, number],
  { data }: HostArray,
): readonly [quants: StateTensor, scales: StateTensor] {
  const { bits, blockBytes, elements, scales: scaleType, hasMinimum } = layoutOf(type);
  const bytes = isKType(type) ? plainBlocks(type, data as Uint8Array) : (data as Uint8Array);
  // A page has no code that reads panels.
  const panel = hasMachineCode ? panelSize(rows) : 1;
  const [blocks, header] = [columns / elements, hasMinimum ? 2 : 1];
  const form = { bits, blockBytes, elements, scales: scaleType, header, blocks } as const;
  const { quants, scales } = inPanels(bytes, form, { rows, panel });
  const shape = (perBlock: number): number[] => [rows / panel, blocks, perBlock, panel];
  const own = bits === 8 ? new Int8Array(quants.buffer) : quants;
  return [
    new StateTensor({
      name: "quants",
      shape: shape((elements * bits) / 8),
      dtype: bits === 8 ? "i8" : "u8",
      initial: own,
    }),
    new StateTensor({ name: "scales", shape: shape(header), dtype: scaleType, initial: scales }),
  ];
}

/** Looks rows up before they are computed, not the other way round. */
class QuantizedRows extends Adapter {
  private readonly weight: QuantizedWeight;

  constructor(weight: QuantizedWeight) {
    super();
    this.weight = weight;
  }

  forward(_: (indices: Tensor) => Tensor, indices: Tensor): Tensor {
    return this.weight.rows(indices);
  }
}

/** In training computes the weight again for the gradient: kept for it, it would lie in memory in full precision. */
class QuantizedProduct extends Adapter {
  forward(inner: (x: Tensor) => Tensor, x: Tensor): Tensor {
    return this.training ? rematerialize(inner)(x) : inner(x);
  }
}

/**
 * Has a layer's `weight` computed from blocks of few bits; it is a parameter no more. Embeddings compute the rows that they look up.
 *
 * @returns the layer
 * @throws ShapeError when the blocks are not those of the layer's weight
 * @example
 * const blocks = quantizeBlocks(new Float32Array(3 * 32), "Q4_0");
 * const layer = setQuantizedWeight(new Linear(32, 3), { type: "Q4_0", shape: [3, 32], blocks: { dtype: "u8", shape: [3, 18], data: blocks } });
 * layer.parameters().length; // 1
 */
export function setQuantizedWeight<M extends Module>(layer: M, init: QuantizedInit): M {
  return parametrize(layer, "weight", (weight) => {
    const [rows, columns] = init.shape;
    if (weight.shape.length !== 2 || weight.shape[0] !== rows || weight.shape[1] !== columns)
      throw new ShapeError(
        `the weight of ${layer.constructor.name} is ${shapeText(weight.shape)}, the blocks are of ${shapeText(init.shape)}`,
      );
    const quantized = new QuantizedWeight(init);
    if (layer instanceof Embedding) layer.addAdapter("quantized", new QuantizedRows(quantized));
    if (layer instanceof Linear) layer.addAdapter("quantized", new QuantizedProduct());
    return quantized;
  });
}

/**
 * Whether a layer's weight is kept in few bits.
 *
 * @example isQuantized(new Linear(2, 1)) // false
 */
export const isQuantized = (layer: Module): boolean =>
  (layer as { parametrizations?: Record<string, unknown> }).parametrizations?.["weight"] instanceof
  QuantizedWeight;

/**
 * Undoes `setQuantizedWeight`: the weight is a parameter of f32 again.
 *
 * @returns the layer
 * @throws ArgumentError when the weight is not kept in few bits
 * @example
 * const model = new Sequential(new Linear(32, 8));
 * await quantizeModel(model);
 * removeQuantizedWeight(model.namedModules().get("0")!).parameters().length; // 2
 */
export function removeQuantizedWeight<M extends Module>(layer: M): M {
  if (!isQuantized(layer))
    throw new ArgumentError(
      `removeQuantizedWeight: the weight of ${layer.constructor.name} is not kept in few bits`,
    );
  if (layer.children().has("quantized")) layer.removeAdapter("quantized");
  return removeParametrization(layer);
}

export interface QuantizeOptions {
  /** Default "Q4_1". */
  readonly type?: RoundedType;
  /** Which layers, by path; default all `Linear` ones but `lm_head`. */
  readonly filter?: (path: string, layer: Module) => boolean;
}

/**
 * Rounds the weights of a model's linear layers to few bits, where they stay from then on: a frozen base for adapters, or a model that
 * only answers. Rows that are no whole blocks of 32 stay as they are.
 *
 * @returns the paths of the layers that were rounded
 * @throws ArgumentError when there is none
 * @example
 * const model = new Sequential(new Linear(64, 8), new ReLU(), new Linear(8, 2));
 * await quantizeModel(model, { type: "Q8_0" }); // ["0"]
 */
export async function quantizeModel(model: Module, options: QuantizeOptions = {}): Promise<string[]> {
  checkOptions("quantizeModel", options, ["type", "filter"]);
  const { type = "Q4_1", filter = (path: string) => !/(^|\.)lm_head$/.test(path) } = options;
  if (!isRoundedType(type))
    throw new ArgumentError(
      `weights are rounded to ${roundedTypes.join(", ")}; got ${JSON.stringify(type as string)}`,
    );
  const done: string[] = [];
  for (const [path, layer] of model.namedModules()) {
    if (!(layer instanceof Linear) || layer.inFeatures % blockSize !== 0 || !filter(path, layer)) continue;
    const shape = [layer.outFeatures, layer.inFeatures] as const;
    const data = quantizeBlocks((await layer.weight.data()) as Float32Array, type);
    setQuantizedWeight(layer, {
      type,
      shape,
      blocks: { dtype: "u8", shape: [shape[0], data.length / shape[0]], data },
    });
    done.push(path);
  }
  if (done.length > 0) return done;
  throw new ArgumentError("quantizeModel: no linear layer was chosen whose rows are whole blocks of 32");
}
