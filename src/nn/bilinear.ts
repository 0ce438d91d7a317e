/** The bilinear layer. */
import { nextKey } from "../base/default-key.ts";
import { ArgumentError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";
import { fold, type RandomKey, toRandomKey } from "../base/random.ts";
import type { Tensor } from "../tensor/index.ts";
import { requireFeatures } from "./checks.ts";
import { fanInUniform, type Initializer } from "./initializers.ts";
import { Module } from "./module.ts";
import { Parameter } from "./parameter.ts";

export interface BilinearOptions {
  /** Default true: adds a learnt vector. */
  readonly bias?: boolean;
  /** Default `initializers.fanInUniform()`, U(±1/√in1Features), as in PyTorch. */
  readonly weightInit?: Initializer;
  /** Default the same. */
  readonly biasInit?: Initializer;
  /** What the initializers draw from: a key or a seed; by default the next key of the default stream (`seed(42)`). */
  readonly key?: RandomKey | number;
}

/**
 * y_o = x₁ᵀ·W_o·x₂ + b_o on the last axes: how two inputs go together.
 *
 * Shapes: x₁ (…, in1Features), x₂ (…, in2Features) → (…, outFeatures); the weight is (outFeatures, in1Features, in2Features).
 *
 * @throws ShapeError when a last axis has another number of features
 * @example
 * new Bilinear(3, 4, 2).forward(zeros([8, 3]), zeros([8, 4])).shape; // [8, 2]
 */
export class Bilinear extends Module {
  readonly in1Features: number;
  readonly in2Features: number;
  readonly outFeatures: number;
  readonly weight: Parameter<[number, number, number]>;
  readonly bias: Parameter<[number]> | undefined;

  constructor(in1Features: number, in2Features: number, outFeatures: number, options: BilinearOptions = {}) {
    super();
    checkOptions("Bilinear", options, ["bias", "weightInit", "biasInit", "key"]);
    for (const [name, size] of Object.entries({ in1Features, in2Features, outFeatures })) {
      if (!Number.isInteger(size) || size < 1)
        throw new ArgumentError(`Bilinear: ${name} must be a positive integer, got ${size}`);
    }
    const { bias = true, weightInit = fanInUniform(), biasInit = fanInUniform(), key = nextKey() } = options;
    this.in1Features = in1Features;
    this.in2Features = in2Features;
    this.outFeatures = outFeatures;
    const root = toRandomKey(key);
    const fans = { fanIn: in1Features, fanOut: outFeatures };
    const shape: [number, number, number] = [outFeatures, in1Features, in2Features];
    const weight = () => weightInit({ shape, ...fans, key: fold(root, 0) });
    this.weight = new Parameter({ dtype: "f32", shape, data: weight }, { name: "weight" });
    this.bias = bias
      ? new Parameter(biasInit({ shape: [outFeatures], ...fans, key: fold(root, 1) }), { name: "bias" })
      : undefined;
  }

  forward(x1: Tensor, x2: Tensor): Tensor {
    requireFeatures(`${this}, first input,`, x1, this.in1Features);
    requireFeatures(`${this}, second input,`, x2, this.in2Features);
    const { in1Features, in2Features, outFeatures } = this;
    // (out, in1, in2) as a matrix whose rows are in1: one product makes x₁ᵀ·W_o for all o.
    const matrix: Tensor = this.weight.permute([1, 0, 2]).reshape([in1Features, outFeatures * in2Features]);
    const rows = x1.matmul(matrix).reshape([...x1.shape.slice(0, -1), outFeatures, in2Features]);
    const y = rows.mul(x2.expandDims(-2)).sum(-1);
    return this.bias === undefined ? y : y.add(this.bias);
  }

  protected override describe(): string {
    const inputs = `${this.in1Features} × ${this.in2Features}`;
    return `${inputs} → ${this.outFeatures}${this.bias === undefined ? ", no bias" : ""}`;
  }
}
