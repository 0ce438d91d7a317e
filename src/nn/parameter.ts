/** What a model learns. */
import { type DType, isFloat } from "../base/dtype.ts";
import { DTypeError } from "../base/errors.ts";
import type { TensorShape } from "../base/shape-types.ts";
import { StateTensor, touch } from "../tensor/index.ts";
import { type Initial, stateInit } from "../tensor/state.ts";
import { checkListed } from "./call.ts";

export interface ParameterOptions<D extends DType = DType> {
  /** Shown in errors until a module gives it its path; default "parameter". */
  readonly name?: string;
  readonly dtype?: D;
  /** Default true: false begins frozen. */
  readonly trainable?: boolean;
}

/**
 * A state that is learnt: a tensor wherever one is accepted, whose value an optimizer assigns. In a public field of a Module
 * it is found, listed, saved and loaded.
 *
 * @throws DTypeError unless its values are floats
 * @example
 * class Scale extends Module {
 *   readonly factor = new Parameter([1, 1, 1]);
 *   forward(x: Tensor): Tensor {
 *     return x.mul(this.factor);
 *   }
 * }
 * new Scale().parameters().length; // 1
 */
export class Parameter<S extends TensorShape = any, D extends DType = any> extends StateTensor<S, D> {
  #trainable: boolean;

  /** @param initial the first value; a plain number makes a parameter of shape (), an array of a mapped file stays there */
  constructor(
    initial: Exclude<Initial<S, D>, boolean>,
    { name = "parameter", dtype, trainable = true }: ParameterOptions<D> = {},
  ) {
    super(stateInit(initial, { name, dtype }));
    if (!isFloat(this.dtype)) {
      throw new DTypeError(
        `parameter "${name}" is ${this.dtype}: what is learnt must be a float; use state(…) for the rest`,
      );
    }
    this.#trainable = trainable;
    this.onRead(() => checkListed(this));
  }

  /** Whether optimizers change it. Setting it makes compiled functions that asked trace again. */
  get trainable(): boolean {
    touch(this);
    return this.#trainable;
  }
  set trainable(value: boolean) {
    this.#trainable = value;
  }

  /** For compiled functions: differs when `trainable` does. */
  get version(): number {
    return this.#trainable ? 1 : 0;
  }
}
