/** One step of RNN, GRU and LSTM: for loops of one's own. */
import { nextKey } from "../base/default-key.ts";
import { ArgumentError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";
import { fold, type RandomKey, toRandomKey } from "../base/random.ts";
import { type Tensor, zeros } from "../tensor/index.ts";
import { requireFeatures } from "./checks.ts";
import { uniform } from "./initializers.ts";
import { Module } from "./module.ts";
import { Parameter } from "./parameter.ts";
import { gruStep, lstmStep, plus, product, rnnStep } from "./recurrent.ts";

export interface CellOptions {
  /** Default true: learnt vectors are added. */
  readonly bias?: boolean;
  /** What weights are drawn from: a key or a seed; by default the next key of the default stream (`seed(42)`). */
  readonly key?: RandomKey | number;
}

abstract class Cell extends Module {
  readonly inputSize: number;
  readonly hiddenSize: number;
  readonly weightIh: Parameter;
  readonly weightHh: Parameter;
  readonly biasIh: Parameter | undefined;
  readonly biasHh: Parameter | undefined;

  constructor(gates: number, sizes: { inputSize: number; hiddenSize: number }, options: CellOptions) {
    super();
    const { inputSize, hiddenSize } = sizes;
    for (const [name, size] of Object.entries(sizes)) {
      if (!Number.isInteger(size) || size < 1)
        throw new ArgumentError(`${this.constructor.name}: ${name} must be a positive integer, got ${size}`);
    }
    const { bias = true, key = nextKey() } = options;
    const root = toRandomKey(key);
    // U(±1/√hiddenSize), as in PyTorch.
    const init = uniform(-1 / Math.sqrt(hiddenSize), 1 / Math.sqrt(hiddenSize));
    const make = (name: string, shape: readonly number[], place: number): Parameter => {
      const data = () => init({ shape, fanIn: hiddenSize, fanOut: hiddenSize, key: fold(root, place) });
      return new Parameter({ dtype: "f32", shape, data }, { name });
    };
    const rows = gates * hiddenSize;
    this.inputSize = inputSize;
    this.hiddenSize = hiddenSize;
    this.weightIh = make("weight_ih", [rows, inputSize], 0);
    this.weightHh = make("weight_hh", [rows, hiddenSize], 1);
    this.biasIh = bias ? make("bias_ih", [rows], 2) : undefined;
    this.biasHh = bias ? make("bias_hh", [rows], 3) : undefined;
  }

  /** PyTorch's names. */
  protected override *fields(): Iterable<readonly [string, unknown]> {
    const names: Record<string, string> = {
      ...{ weightIh: "weight_ih", weightHh: "weight_hh", biasIh: "bias_ih", biasHh: "bias_hh" },
    };
    for (const [name, value] of super.fields()) yield [names[name] ?? name, value];
  }

  /** W_ih·x + b_ih. */
  protected ofInput(x: Tensor): Tensor {
    requireFeatures(this.toString(), x, this.inputSize);
    return plus(product(x, this.weightIh as Tensor), this.biasIh as Tensor | undefined);
  }
  /** W_hh·h + b_hh. */
  protected ofHidden(h: Tensor): Tensor {
    requireFeatures(`${this}, hidden state,`, h, this.hiddenSize);
    return plus(product(h, this.weightHh as Tensor), this.biasHh as Tensor | undefined);
  }
  protected zeroState(x: Tensor): Tensor {
    return zeros([...(x.shape as readonly number[]).slice(0, -1), this.hiddenSize]) as Tensor;
  }
  protected override describe(): string {
    return `${this.inputSize} → ${this.hiddenSize}${this.biasIh === undefined ? ", no bias" : ""}`;
  }
}

/**
 * h′ = tanh(W_ih·x + b_ih + W_hh·h + b_hh), one step of `RNN`: (N, inputSize), (N, hiddenSize) → (N, hiddenSize). The state is 0 when
 * left out.
 *
 * @throws ShapeError in `forward` for other features
 * @example new RNNCell(4, 8).forward(zeros([2, 4])).shape // [2, 8]
 */
export class RNNCell extends Cell {
  readonly nonlinearity: "tanh" | "relu";
  constructor(
    inputSize: number,
    hiddenSize: number,
    options: CellOptions & { readonly nonlinearity?: "tanh" | "relu" } = {},
  ) {
    checkOptions("RNNCell", options, ["bias", "key", "nonlinearity"]);
    super(1, { inputSize, hiddenSize }, options);
    const { nonlinearity = "tanh" } = options;
    if (nonlinearity !== "tanh" && nonlinearity !== "relu")
      throw new ArgumentError(
        `RNNCell: nonlinearity "${nonlinearity as string}" is unknown; use "tanh" or "relu"`,
      );
    this.nonlinearity = nonlinearity;
  }
  forward(x: Tensor, h: Tensor = this.zeroState(x)): Tensor {
    return rnnStep(this.ofInput(x).add(this.ofHidden(h)) as Tensor, this.nonlinearity);
  }
}

/**
 * One step of `GRU`: (N, inputSize), (N, hiddenSize) → (N, hiddenSize). The state is 0 when left out.
 *
 * @throws ShapeError in `forward` for other features
 * @example new GRUCell(4, 8).forward(zeros([2, 4])).shape // [2, 8]
 */
export class GRUCell extends Cell {
  constructor(inputSize: number, hiddenSize: number, options: CellOptions = {}) {
    checkOptions("GRUCell", options, ["bias", "key"]);
    super(3, { inputSize, hiddenSize }, options);
  }
  forward(x: Tensor, h: Tensor = this.zeroState(x)): Tensor {
    const parts = [this.ofInput(x), this.ofHidden(h)].flatMap((all) => all.split(3, -1) as Tensor[]);
    return gruStep(parts, h);
  }
}

/**
 * One step of `LSTM`: (N, inputSize) and the states [hidden, cell] of (N, hiddenSize) each, 0 when left out, → the next states.
 *
 * @throws ShapeError in `forward` for other features
 * @example
 * const cell = new LSTMCell(4, 8);
 * let states = cell.forward(zeros([2, 4]));
 * states = cell.forward(zeros([2, 4]), states);
 * states[0].shape; // [2, 8]
 */
export class LSTMCell extends Cell {
  constructor(inputSize: number, hiddenSize: number, options: CellOptions = {}) {
    checkOptions("LSTMCell", options, ["bias", "key"]);
    super(4, { inputSize, hiddenSize }, options);
  }
  forward(x: Tensor, states?: readonly [hidden: Tensor, cell: Tensor]): [hidden: Tensor, cell: Tensor] {
    const [h, c] = states ?? [this.zeroState(x), this.zeroState(x)];
    return lstmStep(this.ofInput(x).add(this.ofHidden(h)).split(4, -1) as Tensor[], c);
  }
}
