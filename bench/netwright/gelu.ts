/** GELU by the error function. */
import { compile, type Tensor } from "netwright";
import type { WorkOf } from "../protocol.ts";
import type { Job } from "../serve.ts";
import { repeated, uniform } from "./repeated.ts";

export function gelu({ elements }: WorkOf<"gelu">): Promise<Job> {
  const x = uniform(1, [elements], 4);
  const forward = compile((input: Tensor) => input.gelu());
  return repeated([x], () => forward(x));
}
