/** A call of a compiled function that has next to nothing to compute. */
import { compile, type Tensor } from "netwright";
import type { WorkOf } from "../protocol.ts";
import type { Job } from "../serve.ts";
import { repeated, uniform } from "./repeated.ts";

export function call({ elements }: WorkOf<"call">): Promise<Job> {
  const x = uniform(1, [elements]);
  const increment = compile((input: Tensor) => input.add(1));
  return repeated([x], () => increment(x));
}
