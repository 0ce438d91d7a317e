/**
 * Recurrent layers: RNN, GRU and LSTM, stacked and in both directions. The time loop is a loop of the compiled program: what is
 * compiled does not grow with the length.
 */
import { nextKey } from "../base/default-key.ts";
import { ArgumentError, ShapeError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";
import { fold, type RandomKey, toRandomKey } from "../base/random.ts";
import { shapeText } from "../base/shape.ts";
import { arange, concat, stack, type Tensor, where, zeros } from "../tensor/index.ts";
import { withPlace } from "../tensor/located.ts";
import { Dropout } from "./dropout.ts";
import { uniform } from "./initializers.ts";
import { Module } from "./module.ts";
import { Parameter } from "./parameter.ts";
import { type CellStep, runLoop, type States } from "./recurrent-loop.ts";

export interface RecurrentOptions {
  /** Layers on top of each other; default 1. */
  readonly numLayers?: number;
  /** Default true: learnt vectors are added. */
  readonly bias?: boolean;
  /** Default false: (T, N, features), as in PyTorch. True: (N, T, features). */
  readonly batchFirst?: boolean;
  /** Of what goes from one layer to the next while training; default 0. */
  readonly dropout?: number;
  /** Default false: true runs a second set of weights from the end to the beginning, and puts both results side by side. */
  readonly bidirectional?: boolean;
  /** What weights are drawn from: a key or a seed; by default the next key of the default stream (`seed(42)`). */
  readonly key?: RandomKey | number;
}
export interface RNNOptions extends RecurrentOptions {
  /** Default "tanh". */
  readonly nonlinearity?: "tanh" | "relu";
}

export interface LSTMOptions extends RecurrentOptions {
  /** Size of the hidden states, a learnt projection of o·tanh(c): Sak, Senior and Beaufays, 2014. Default 0: none, hiddenSize. */
  readonly projSize?: number;
}

export interface RunOptions {
  /**
   * How many steps of each sequence count, i32 of shape (N). What comes after changes nothing: outputs there are 0, the last
   * state is that of the last step that counts.
   */
  readonly lengths?: Tensor;
}

const optionNames = ["numLayers", "bias", "batchFirst", "dropout", "bidirectional", "key"] as const;

/** One layer in one direction. */
interface Weights {
  readonly inputs: Tensor;
  readonly hidden: Tensor;
  readonly inputBias: Tensor | undefined;
  readonly hiddenBias: Tensor | undefined;
  /** Of LSTM with projSize: (projSize, hiddenSize). */
  readonly projection: Tensor | undefined;
}

export const product = (x: Tensor, weight: Tensor): Tensor => x.matmul(weight.transpose()) as Tensor;
export const plus = (x: Tensor, bias: Tensor | undefined): Tensor =>
  bias === undefined ? x : (x.add(bias) as Tensor);

/** h′ from W_ih·x + b_ih + W_hh·h + b_hh. */
export const rnnStep = (sum: Tensor, nonlinearity: "tanh" | "relu"): Tensor =>
  (nonlinearity === "tanh" ? sum.tanh() : sum.relu()) as Tensor;

/** h′ from the gates r, z, n of W_i·x + b_i, and those of W_h·h + b_h. */
export function gruStep(gates: readonly Tensor[], h: Tensor): Tensor {
  const [xr, xz, xn, hr, hz, hn] = gates as [Tensor, Tensor, Tensor, Tensor, Tensor, Tensor];
  const reset = xr.add(hr).sigmoid() as Tensor;
  const update = xz.add(hz).sigmoid() as Tensor;
  const candidate = xn.add(reset.mul(hn)).tanh() as Tensor;
  return candidate.add(update.mul(h.sub(candidate))) as Tensor;
}

/** o·tanh(c′) and c′ from the gates i, f, g, o. */
export function lstmStep(gates: readonly Tensor[], c: Tensor): [output: Tensor, cell: Tensor] {
  const [i, f, g, o] = gates as [Tensor, Tensor, Tensor, Tensor];
  const cell = f.sigmoid().mul(c).add(i.sigmoid().mul(g.tanh())) as Tensor;
  return [o.sigmoid().mul(cell.tanh()) as Tensor, cell];
}

/** Zeros instead of what follows a sequence's length: that may be anything, NaN too, also as far as gradients go. */
function withoutRest(x: Tensor, lengths: Tensor | undefined): Tensor {
  if (lengths === undefined) return x;
  const steps = arange((x.shape as readonly number[])[0]!).expandDims(1); // (T, 1)
  return where(lengths.greater(steps).expandDims(2), x, 0) as Tensor; // (T, N, 1)
}

abstract class Recurrent extends Module {
  readonly inputSize: number;
  readonly hiddenSize: number;
  /** Size of what a step gives: hiddenSize unless projected. */
  readonly outputSize: number;
  readonly numLayers: number;
  readonly batchFirst: boolean;
  readonly bidirectional: boolean;
  readonly dropout: Dropout | undefined;
  /** By PyTorch's names: weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0; with _reverse for the other direction. */
  private readonly weights = new Map<string, Parameter>();
  /** Rows of the weights for each hidden unit. */
  private readonly gates: number;

  constructor(gates: number, inputSize: number, hiddenSize: number, options: LSTMOptions) {
    super();
    const what = this.constructor.name;
    const { numLayers = 1, bias = true, batchFirst = false, dropout = 0, projSize = 0 } = options;
    const { bidirectional = false, key = nextKey() } = options;
    for (const [name, size] of Object.entries({ inputSize, hiddenSize, numLayers })) {
      if (!Number.isInteger(size) || size < 1)
        throw new ArgumentError(`${what}: ${name} must be a positive integer, got ${size}`);
    }
    if (!(Number.isInteger(projSize) && projSize >= 0 && projSize < hiddenSize))
      throw new ArgumentError(
        `${what}: projSize must be from 0 to below hiddenSize ${hiddenSize}, got ${projSize}`,
      );
    this.inputSize = inputSize;
    this.hiddenSize = hiddenSize;
    this.outputSize = projSize === 0 ? hiddenSize : projSize;
    this.numLayers = numLayers;
    this.batchFirst = batchFirst;
    this.bidirectional = bidirectional;
    this.gates = gates;
    const root = toRandomKey(key);
    this.dropout = dropout > 0 ? new Dropout(dropout, { key: fold(root, 1) }) : undefined;
    this.makeWeights(bias, fold(root, 0));
  }

  /** U(±1/√hiddenSize), as in PyTorch. */
  private makeWeights(bias: boolean, key: RandomKey): void {
    const { inputSize, hiddenSize, outputSize, numLayers, gates } = this;
    const rows = gates * hiddenSize;
    const init = uniform(-1 / Math.sqrt(hiddenSize), 1 / Math.sqrt(hiddenSize));
    const make = (name: string, shape: readonly number[]): void => {
      const request = { shape, fanIn: hiddenSize, fanOut: hiddenSize, key: fold(key, this.weights.size) };
      this.weights.set(name, new Parameter({ dtype: "f32", shape, data: () => init(request) }, { name }));
    };
    for (let layer = 0; layer < numLayers; layer++) {
      const width = layer === 0 ? inputSize : outputSize * this.directions.length;
      for (const suffix of this.directions) {
        make(`weight_ih_l${layer}${suffix}`, [rows, width]);
        make(`weight_hh_l${layer}${suffix}`, [rows, outputSize]);
        if (bias) {
          make(`bias_ih_l${layer}${suffix}`, [rows]);
          make(`bias_hh_l${layer}${suffix}`, [rows]);
        }
        if (outputSize < hiddenSize) make(`weight_hr_l${layer}${suffix}`, [outputSize, hiddenSize]);
      }
    }
  }

  private get directions(): readonly string[] {
    return this.bidirectional ? ["", "_reverse"] : [""];
  }

  protected override *fields(): Iterable<readonly [string, unknown]> {
    yield* this.weights;
    for (const [name, value] of super.fields()) if (name !== "weights") yield [name, value];
  }

  private weightsOf(layer: number, suffix: string): Weights {
    const at = (name: string): Tensor | undefined => this.weights.get(`${name}_l${layer}${suffix}`) as Tensor;
    return {
      inputs: at("weight_ih")!,
      hidden: at("weight_hh")!,
      inputBias: at("bias_ih"),
      hiddenBias: at("bias_hh"),
      projection: at("weight_hr"),
    };
  }

  /** The states after a step, from its gates and the states before it; the first of them is the output. */
  protected abstract cell(...parts: Parameters<CellStep>): States;
  /** Whether W_ih·x + b_ih and W_hh·h + b_hh stand apart. */
  protected get isApart(): boolean {
    return false;
  }

  /** (T, N, I) and first states (numLayers·directions, N, H) each: the outputs (T, N, directions·H) and the last states. */
  protected run(
    x: Tensor,
    first: readonly Tensor[] | undefined,
    count: number,
    options: RunOptions,
  ): { output: Tensor; last: Tensor[] } {
    const sequence = this.batchFirst ? (x.transpose(0, 1) as Tensor) : x;
    const [, batch, features] = this.check(x, sequence);
    if (features !== this.inputSize)
      throw withPlace(
        new ShapeError(`${this} expects ${this.inputSize} features, got ${shapeText(x.shape as number[])}`),
      );
    const states = first ?? this.zeroStates(batch, count);
    const kept: Tensor[][] = Array.from({ length: count }, () => []);
    let layerInput = withoutRest(sequence, options.lengths);
    for (let layer = 0; layer < this.numLayers; layer++) {
      if (layer > 0 && this.dropout !== undefined) layerInput = this.dropout.forward(layerInput) as Tensor;
      const outputs = this.directions.map((suffix, d) => {
        const place = layer * this.directions.length + d;
        const begin = states.map((state) => state.at(place) as Tensor);
        const direction = { reverse: suffix !== "", lengths: options.lengths };
        const { last, output } = this.loop(layerInput, begin, this.weightsOf(layer, suffix), direction);
        last.forEach((state, i) => {
          kept[i]!.push(state);
        });
        return output;
      });
      layerInput = outputs.length === 1 ? outputs[0]! : (concat(outputs, -1) as Tensor);
    }
    const output = this.batchFirst ? (layerInput.transpose(0, 1) as Tensor) : layerInput;
    return { output, last: kept.map((list) => stack(list, 0) as Tensor) };
  }

  private zeroStates(batch: number, count: number): Tensor[] {
    const shapeOf = (size: number): number[] => [this.numLayers * this.directions.length, batch, size];
    return [this.outputSize, this.hiddenSize].slice(0, count).map((size) => zeros(shapeOf(size)) as Tensor);
  }

  private check(x: Tensor, sequence: Tensor): readonly number[] {
    const shape = sequence.shape as readonly number[];
    if (shape.length === 3) return shape;
    const axes = this.batchFirst ? "(N, T, features)" : "(T, N, features)";
    throw withPlace(new ShapeError(`${this} expects 3 axes, ${axes}, got ${shapeText(x.shape as number[])}`));
  }

  private loop(
    x: Tensor,
    begin: States,
    weights: Weights,
    { reverse, lengths }: { reverse: boolean; lengths: Tensor | undefined },
  ): { output: Tensor; last: States } {
    const { inputs, hidden, inputBias, hiddenBias, projection } = weights;
    // All steps at once: (T, N, features) → (T, N, gates·hidden).
    const withBias = plus(product(x, inputs), inputBias);
    const { isApart } = this;
    const ofInputs = isApart ? withBias : plus(withBias, hiddenBias);
    const apart = isApart ? hiddenBias : undefined;
    return runLoop(
      { step: (...parts) => this.cell(...parts), gates: this.gates, isApart, reverse, lengths },
      { ofInputs, hidden, hiddenBias: apart, projection, begin },
    );
  }

  protected override describe(): string {
    return [
      `${this.inputSize} → ${this.hiddenSize}`,
      ...(this.numLayers > 1 ? [`${this.numLayers} layers`] : []),
      ...(this.outputSize < this.hiddenSize ? [`projected to ${this.outputSize}`] : []),
      ...(this.bidirectional ? ["bidirectional"] : []),
    ].join(", ");
  }
}

/** What RNN and GRU give: outputs of all steps, and the last state of each layer and direction. */
export interface RecurrentResult {
  /** (T, N, directions·H), or (N, T, …) with `batchFirst`. */
  readonly output: Tensor;
  /** (numLayers·directions, N, H). */
  readonly hidden: Tensor;
}

/**
 * h_t = tanh(W_ih·x_t + b_ih + W_hh·h_{t−1} + b_hh) (Elman). Weights and names as in PyTorch.
 *
 * @throws ShapeError when the input has other axes or features
 * @example
 * const { output, hidden } = new RNN(4, 8).forward(zeros([5, 2, 4]));
 * output.shape; // [5, 2, 8]
 * hidden.shape; // [1, 2, 8]
 */
export class RNN extends Recurrent {
  readonly nonlinearity: "tanh" | "relu";
  constructor(inputSize: number, hiddenSize: number, options: RNNOptions = {}) {
    checkOptions("RNN", options, [...optionNames, "nonlinearity"]);
    super(1, inputSize, hiddenSize, options);
    this.nonlinearity = options.nonlinearity ?? "tanh";
    if (this.nonlinearity !== "tanh" && this.nonlinearity !== "relu")
      throw new ArgumentError(
        `RNN: nonlinearity "${this.nonlinearity as string}" is unknown; use "tanh" or "relu"`,
      );
  }
  forward(x: Tensor, initial?: Tensor, options: RunOptions = {}): RecurrentResult {
    const { output, last } = this.run(x, initial && [initial], 1, options);
    return { output, hidden: last[0]! };
  }
  protected cell([sum]: readonly Tensor[]): States {
    return [rnnStep(sum!, this.nonlinearity)];
  }
}

/**
 * Gated recurrent units: r, z = σ(…), n = tanh(W_in·x + b_in + r·(W_hn·h + b_hn)), h′ = (1 − z)·n + z·h. Cho et al., 2014, in
 * PyTorch's form (the reset gate after the product), weights and names.
 *
 * @throws ShapeError when the input has other axes or features
 * @example new GRU(4, 8, { bidirectional: true }).forward(zeros([5, 2, 4])).output.shape // [5, 2, 16]
 */
export class GRU extends Recurrent {
  constructor(inputSize: number, hiddenSize: number, options: RecurrentOptions = {}) {
    checkOptions("GRU", options, optionNames);
    super(3, inputSize, hiddenSize, options);
  }
  forward(x: Tensor, initial?: Tensor, options: RunOptions = {}): RecurrentResult {
    const { output, last } = this.run(x, initial && [initial], 1, options);
    return { output, hidden: last[0]! };
  }
  protected cell(gates: readonly Tensor[], [h]: States): States {
    return [gruStep(gates, h!)];
  }
  /** The reset gate multiplies what comes of the hidden state alone. */
  protected override get isApart(): boolean {
    return true;
  }
}

export interface LSTMResult extends RecurrentResult {
  /** (numLayers·directions, N, H). */
  readonly cell: Tensor;
}

/**
 * Long short-term memory: i, f, o = σ(…), g = tanh(…), c′ = f·c + i·g, h′ = o·tanh(c′). Hochreiter and Schmidhuber, 1997, with forget
 * gates (Gers et al., 2000). Weights, their order (i, f, g, o) and names as in PyTorch. For truncated backpropagation give the last
 * states of a part as the first of the next: what comes out of a compiled step has no graph behind it.
 *
 * @throws ShapeError when the input has other axes or features
 * @example
 * const layer = new LSTM(4, 8, { numLayers: 2, batchFirst: true });
 * const { output, hidden, cell } = layer.forward(zeros([2, 5, 4]));
 * output.shape; // [2, 5, 8]
 * cell.shape; // [2, 2, 8]
 */
export class LSTM extends Recurrent {
  constructor(inputSize: number, hiddenSize: number, options: LSTMOptions = {}) {
    checkOptions("LSTM", options, [...optionNames, "projSize"]);
    super(4, inputSize, hiddenSize, options);
  }
  forward(
    x: Tensor,
    initial?: readonly [hidden: Tensor, cell: Tensor],
    options: RunOptions = {},
  ): LSTMResult {
    const { output, last } = this.run(x, initial, 2, options);
    return { output, hidden: last[0]!, cell: last[1]! };
  }
  protected cell(gates: readonly Tensor[], [, c]: States): States {
    return lstmStep(gates, c!);
  }
}
