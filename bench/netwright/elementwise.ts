/** One elementary function of many numbers. */
import { compile, type Tensor } from "netwright";
import type { ElementaryFunction, WorkOf } from "../protocol.ts";
import type { Job } from "../serve.ts";
import { repeated, uniform } from "./repeated.ts";

const functions: Readonly<Record<ElementaryFunction, (x: Tensor) => Tensor>> = {
  exp: (x) => x.exp(),
  log: (x) => x.abs().log(),
  tanh: (x) => x.tanh(),
  erf: (x) => x.erf(),
  sin: (x) => x.sin(),
  cos: (x) => x.cos(),
  pow: (x) => x.abs().pow(1.7),
};

export function elementwise({ function: name, elements, limit }: WorkOf<"elementwise">): Promise<Job> {
  const x = uniform(1, [elements], limit);
  const forward = compile(functions[name]);
  return repeated([x], () => forward(x));
}
