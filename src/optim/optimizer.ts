/**
 * What every optimizer is: named states (a step counter, learning rates, moments) and a `step` that assigns new values to
 * parameters and moments within the trace. An update is elementwise graph from the same inputs, so that a compiled step
 * writes a parameter and its moments in one kernel; what all elements share is computed once from the counter.
 */
import { computeDType, type DType } from "../base/dtype.ts";
import { ArgumentError, ShapeError } from "../base/errors.ts";
import { type Shape, sameShape, shapeText } from "../base/shape.ts";
import { captureOrigin, withOrigin } from "../graph/origin.ts";
import {
  type LoadOptions,
  type LoadReport,
  loadStates,
  type Parameter,
  type StateSource,
} from "../nn/index.ts";
import { full, type SparseRows, StateTensor, sparseRows, type Tensor } from "../tensor/index.ts";
import { groupsOf, type NoDecay, type Parameters, parameterNames, withoutDecay } from "./groups.ts";
import { requireRange, withDefaults } from "./options.ts";
import type { Rounding } from "./rounding.ts";
import type { Schedule } from "./schedules.ts";

/** A number, or a function of the steps done so far: see `schedules.ts`. */
export type LearningRate = number | Schedule;

export interface OptimizerOptions {
  readonly learningRate: LearningRate;
  /**
   * "norms and biases" sets `weightDecay` to 0 for scalars and vectors: biases, and scales and shifts of norms. Only matrices and
   * kernels decay, as is usual since GPT-2. By default everything decays.
   */
  readonly noDecay?: NoDecay;
  /**
   * How new values of parameters in 16 bits are rounded, which are computed in f32: by default to the nearest, where steps of less than
   * half a place are lost. See `stochasticRounding`.
   */
  readonly rounding?: Rounding;
}

/** Makes an optimizer for a model's parameters, or groups of them: what `fit` takes. */
export type OptimizerFactory = (parameters: Parameters<any>) => Optimizer;

/** A state that an optimizer keeps for a parameter: of its shape and zero at first, unless told otherwise. */
export interface SlotState<Slot extends string> {
  readonly slot: Slot;
  readonly shape?: Shape;
  /** A number, or the parameter's own value. */
  readonly initial?: number | "parameter";
}

/** The states of one parameter by slot, as values. */
export type Slots<Slot extends string> = { readonly [K in Slot]: Tensor };

/** The formula of an optimizer, spelled out: pure functions over tensors. */
export interface Algorithm<Options extends OptimizerOptions, Slot extends string, Shared> {
  /** In errors. */
  readonly name: string;
  readonly defaults: Options;
  /** Refuses options that make no sense. */
  check(options: Options): void;
  /** The states it keeps for a parameter of this shape. */
  slots(options: Options, shape: Shape): readonly (Slot | SlotState<Slot>)[];
  /** What all elements share in a step, from scalars of shape (): the learning rate, and the step counted from 1, in f32. */
  prepare(options: Options, learningRate: Tensor, step: Tensor): Shared;
  /**
   * Of a table whose gradient is few rows (`sparseRows`): "allowed" where a row's update needs that row alone and a row without
   * gradient stays as it is, so that `update` may be given the rows; "required" where it must be. Left out: an error says that the
   * gradient must be dense.
   */
  rows?(options: Options): "allowed" | "required" | undefined;
  /** The new values of a parameter and its slots. Slots that `slots` did not name are missing. */
  update(
    parameter: Tensor,
    gradient: Tensor,
    slots: Slots<Slot>,
    shared: Shared,
    options: Options,
  ): { readonly parameter: Tensor } & Partial<Slots<Slot>>;
}

interface Group<Options> {
  readonly options: Options;
  readonly parameters: readonly Parameter[];
  /** Present where the learning rate is a number: a state, so that setting it traces nothing anew. */
  readonly rate: StateTensor | undefined;
}

/** An algorithm at work on parameters. Make one with `new Adam(…)`, `new SGD(…)`, or from an algorithm of your own. */
export class Optimizer<Options extends OptimizerOptions = any> {
  /** All parameters, in the order of `step`'s gradients. */
  readonly parameters: readonly Parameter[];
  /** How many steps are done: i32 of shape (). */
  readonly stepCount: StateTensor;
  readonly #algorithm: Algorithm<Options, string, unknown>;
  readonly #groups: readonly Group<Options>[];
  readonly #slots = new Map<Parameter, ReadonlyMap<string, StateTensor>>();
  readonly #rounding: Rounding | undefined;

  constructor(
    algorithm: Algorithm<Options, any, any>,
    parameters: Parameters<Options>,
    { noDecay, rounding, ...given }: Partial<Options> = {},
  ) {
    this.#rounding = rounding;
    const { name, defaults } = algorithm;
    const base = withDefaults(name, given as Partial<Options>, defaults);
    this.#algorithm = algorithm;
    const groups = groupsOf(name, parameters);
    const parted = noDecay === undefined ? groups : withoutDecay(name, groups, { noDecay, defaults });
    this.#groups = parted.map((group, index) => {
      const options = scaled(withDefaults(name, group.options, base), group.learningRateScale);
      algorithm.check(options);
      return { options, parameters: group.parameters, rate: rateState(name, options.learningRate, index) };
    });
    this.parameters = this.#groups.flatMap((group) => group.parameters);
    this.stepCount = new StateTensor({ name: "step", shape: [], dtype: "i32" });
    for (const { options, parameters: members } of this.#groups) {
      for (const parameter of members)
        this.#slots.set(parameter, slotStates(parameter, algorithm.slots(options, parameter.shape)));
    }
  }

  /**
   * Assigns one update, from gradients in the order of `parameters`. Frozen parameters and their slots stay as they are.
   *
   * @throws ArgumentError for another number of gradients, ShapeError for one of another shape than its parameter
   * @example
   * const weight = new Parameter([1, 2]);
   * const optimizer = new SGD([weight], { learningRate: 0.5 });
   * const loss = weight.mul(weight).sum();
   * optimizer.step(grad(loss, optimizer.parameters));
   * await weight.toArray(); // [0, 0]
   */
  step(gradients: readonly Tensor[]): void {
    requireGradients(this.#algorithm.name, this.parameters, gradients);
    const done = this.stepCount.value;
    // Every parameter's update comes from the line that called.
    const origin = captureOrigin();
    let at = 0;
    for (const group of this.#groups) {
      const { options } = group;
      const shared = this.#algorithm.prepare(options, this.#rateOf(group, done), done.add(1).cast("f32"));
      for (const parameter of group.parameters) {
        const gradient = gradients[at++]!;
        if (!parameter.trainable) continue;
        withOrigin(origin, () => this.#update(parameter, gradient, shared, options));
      }
    }
    this.stepCount.assign(done.add(1));
  }

  /** An optimizer of the same parameters, groups and options whose algorithm is made from this one's: what wrappers are. */
  withAlgorithm(
    wrap: (algorithm: Algorithm<Options, string, unknown>) => Algorithm<Options, any, any>,
  ): Optimizer {
    const groups = this.#groups.map(({ options, parameters }) => ({ ...options, parameters }));
    return new Optimizer<OptimizerOptions>(wrap(this.#algorithm), groups as never, {
      ...(this.#rounding && { rounding: this.#rounding }),
    });
  }

  /** Its algorithm and the options of each group, for records. @example new SGD([new Parameter([1])], { learningRate: 0.1 }).description.name // "SGD" */
  get description(): { readonly name: string; readonly groups: readonly Options[] } {
    return { name: this.#algorithm.name, groups: this.#groups.map(({ options }) => options) };
  }

  /** How many groups of parameters there are. */
  get groupCount(): number {
    return this.#groups.length;
  }

  /** The learning rate of the next step, of one group: f32 of shape (). */
  learningRate(group = 0): Tensor {
    return this.#rateOf(this.#group(group), this.stepCount.value);
  }

  /** Sets a learning rate that was given as a number, of one group or of all. @throws ArgumentError where it is a schedule */
  setLearningRate(value: number, group?: number): void {
    const { name } = this.#algorithm;
    requireRange(name, "learningRate", value, 0);
    const groups = group === undefined ? this.#groups : [this.#group(group)];
    if (groups.some(({ rate }) => rate === undefined)) {
      throw new ArgumentError(
        `${name}: the learning rate is a schedule; make the optimizer with a number to set it`,
      );
    }
    for (const { rate } of groups) rate!.assign(value);
  }

  /**
   * All states by name: `step`, `learningRate.0` for each group with a number, and `slot.parameter`. Parameters go by
   * their names in the model; where two have the same, all go by their place.
   */
  stateDict(): Map<string, StateTensor> {
    const names = parameterNames(this.parameters);
    const states = new Map<string, StateTensor>([["step", this.stepCount]]);
    this.#groups.forEach(({ rate }, index) => {
      if (rate !== undefined) states.set(`learningRate.${index}`, rate);
    });
    this.parameters.forEach((parameter, index) => {
      for (const [slot, state] of this.#slots.get(parameter)!) states.set(`${slot}.${names[index]}`, state);
    });
    return states;
  }

  /** What it keeps for a parameter, by slot; nothing for one that is not its own. */
  statesOf(parameter: Parameter): ReadonlyMap<string, StateTensor> {
    return this.#slots.get(parameter) ?? new Map();
  }

  /** Sets all states to the values of the same name: as `loadStateDict` of a module. */
  loadStateDict(source: StateSource, options: LoadOptions = {}): LoadReport {
    const states = new Map([...this.stateDict()].map(([name, state]) => [state, name]));
    return loadStates(this.#algorithm.name, { states, aliases: new Map() }, source, options);
  }

  #update(parameter: Parameter, gradient: Tensor, shared: unknown, options: Options): void {
    const sparse = this.#rowsOf(parameter, gradient, options);
    const states = this.#slots.get(parameter)!;
    const dtype = arithmeticOf(parameter.dtype);
    const read = ({ value }: StateTensor): Tensor => (sparse ? value.gather(sparse.indices) : value);
    const write = (state: StateTensor, value: Tensor): void =>
      state.assign(sparse ? state.value.scatter(sparse.indices, value) : value);
    const slots = Object.fromEntries([...states].map(([slot, state]) => [slot, read(state)]));
    const value = read(parameter).cast(dtype);
    const given = (sparse?.rows ?? gradient).cast(dtype);
    const updated = this.#algorithm.update(value, given, slots, shared, options);
    write(parameter, this.#rounded(updated.parameter, parameter, this.parameters.indexOf(parameter)));
    for (const [slot, state] of states) write(state, (updated as Slots<string>)[slot]!);
  }

  #rounded(value: Tensor, { dtype }: Parameter, place: number): Tensor {
    const isLow = dtype === "bf16" || dtype === "f16";
    return (
      (isLow && this.#rounding?.(value, dtype, { place, step: this.stepCount.value })) || value.cast(dtype)
    );
  }

  /** The rows of a sparse gradient; undefined for a dense one. */
  #rowsOf(parameter: Parameter, gradient: Tensor, options: Options): SparseRows | undefined {
    const { name, rows } = this.#algorithm;
    const found = sparseRows(gradient);
    const mode = rows?.(options);
    if (found === undefined && mode === "required")
      throw new ArgumentError(
        `${name}: the gradient of "${parameter.name}" is dense; give ${name} the weights of Embedding(…, { sparse: true }) alone, ` +
          "and the others to Adam",
      );
    if (found !== undefined && mode === undefined)
      throw new ArgumentError(
        `${name}: the gradient of "${parameter.name}" is sparse, and this update changes every row; use SparseAdam, or SGD or Adagrad ` +
          "without momentum and decay, or make the Embedding without sparse",
      );
    return found;
  }

  #rateOf({ options, rate }: Group<Options>, done: Tensor): Tensor {
    return rate === undefined ? (options.learningRate as Schedule)(done.cast("f32")) : rate.value;
  }

  #group(index: number): Group<Options> {
    const group = this.#groups[index];
    if (group !== undefined) return group;
    throw new ArgumentError(
      `${this.#algorithm.name}: there is no group ${index}, only 0 … ${this.#groups.length - 1}`,
    );
  }
}

/** The options with their learning rate, number or schedule, multiplied. */
function scaled<Options extends OptimizerOptions>(options: Options, scale = 1): Options {
  const { learningRate } = options;
  if (scale === 1) return options;
  if (typeof learningRate === "number") return { ...options, learningRate: learningRate * scale };
  return { ...options, learningRate: (step: Tensor) => learningRate(step).mul(scale) };
}

/** Parameters in 16-bit floats are updated in f32 and have moments in f32. */
const arithmeticOf = (dtype: DType): DType => computeDType(dtype);

function slotStates(
  parameter: Parameter,
  slots: readonly (string | SlotState<string>)[],
): Map<string, StateTensor> {
  return new Map(
    slots.map((given) => {
      const { slot, ...state } = typeof given === "string" ? { slot: given } : given;
      return [slot, slotState(parameter, slot, state)] as const;
    }),
  );
}

function slotState(
  parameter: Parameter,
  name: string,
  { shape = parameter.shape as Shape, initial = 0 }: Omit<SlotState<string>, "slot">,
): StateTensor {
  const dtype = arithmeticOf(parameter.dtype);
  const state = new StateTensor({ name, shape: shape as readonly number[], dtype });
  if (initial === "parameter") state.assign(parameter.value.cast(dtype));
  else if (initial !== 0) state.assign(full(shape as readonly number[], initial, { dtype: dtype as "f32" }));
  return state;
}

function rateState(what: string, learningRate: LearningRate, group: number): StateTensor | undefined {
  if (typeof learningRate === "function") return undefined;
  requireRange(what, "learningRate", learningRate, 0);
  const name = `learningRate.${group}`;
  return new StateTensor({ name, shape: [], dtype: "f32", initial: Float32Array.of(learningRate) });
}

function requireGradients(
  what: string,
  parameters: readonly Parameter[],
  gradients: readonly Tensor[],
): void {
  if (gradients.length !== parameters.length) {
    throw new ArgumentError(
      `${what}: ${gradients.length} gradients for ${parameters.length} parameters; ` +
        "pass grad(loss, optimizer.parameters)",
    );
  }
  parameters.forEach((parameter, index) => {
    const { shape } = gradients[index]!;
    if (sameShape(parameter.shape, shape)) return;
    throw new ShapeError(
      `${what}: gradient ${index} has shape ${shapeText(shape)}, parameter "${parameter.name}" ${shapeText(parameter.shape)}; ` +
        "pass gradients in the order of optimizer.parameters",
    );
  });
}
