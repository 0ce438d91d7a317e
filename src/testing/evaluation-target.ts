/** Whatever runs a graph function: the interpreter, or a device. A new target joins every conformance test by one line. */
import { decode, encode } from "../base/dtype.ts";
import type { HostArray } from "../base/host-array.ts";
import { interpret } from "../codegen/interpreter/index.ts";
import type { GraphFunction } from "../graph/function.ts";
import type { DenseArray } from "../graph/op.ts";
import type { Device } from "../runtime/device.ts";
import { stepError } from "../runtime/step-error.ts";

export interface EvaluationTarget {
  readonly name: string;
  /** The results of one run. @throws StepError when a check fails */
  evaluate(fn: GraphFunction, inputs: readonly DenseArray[]): readonly DenseArray[];
}

/** The definition. */
export const interpreterTarget: EvaluationTarget = {
  name: "interpreter",
  evaluate(fn, inputs) {
    const { results, failure } = interpret(fn, inputs);
    if (failure !== undefined) throw stepError(failure);
    return results;
  },
};

const toHost = ({ dtype, shape, data }: DenseArray): HostArray => ({
  dtype,
  shape,
  data: encode(dtype, data),
});

/** A device as a target: `deviceTarget(createWasmDevice())`. */
export function deviceTarget(device: Device): EvaluationTarget {
  return {
    name: device.name,
    evaluate(fn, inputs) {
      const executable = device.compile(fn);
      try {
        return executable.run(inputs.map(toHost)).map((storage) => {
          const { dtype, shape } = storage;
          return { dtype, shape, data: decode(dtype, storage.readSync()) };
        });
      } finally {
        executable.dispose();
      }
    },
  };
}
