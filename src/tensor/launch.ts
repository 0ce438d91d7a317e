/** Running a program; the place where `explainNaN` looks in. */
import type { HostArray } from "../base/host-array.ts";
import type { Dimension } from "../base/size.ts";
import type { Storage } from "../runtime/device.ts";
import type { Runnable } from "./program.ts";
import { type History, Value } from "./value.ts";

type Inputs = readonly (HostArray | Storage)[];
type Dimensions = ReadonlyMap<Dimension, number> | undefined;

/** Runs in a program's place: for tools that look at every value. */
export type Interceptor = (program: Runnable, inputs: Inputs, dimensions: Dimensions) => readonly Storage[];

let interceptor: Interceptor | undefined;

/** Runs `body` with every program given to `intercept`. */
export function withInterceptor<R>(intercept: Interceptor, body: () => R): R {
  const outer = interceptor;
  interceptor = intercept;
  try {
    return body();
  } finally {
    interceptor = outer;
  }
}

/** Starts a run. Throws the error of an earlier run that failed and that nobody has looked at. */
export function launch(
  program: Runnable,
  inputs: Inputs,
  history: History,
  dimensions?: Dimensions,
): Value[] {
  const storages =
    interceptor === undefined
      ? program.executable.run(inputs, dimensions)
      : interceptor(program, inputs, dimensions);
  return storages.map((storage) => Value.ofStorage(storage, history));
}
