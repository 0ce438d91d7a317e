/** Softmax of rows. */
import { compile, type Tensor } from "netwright";
import type { WorkOf } from "../protocol.ts";
import type { Job } from "../serve.ts";
import { repeated, uniform } from "./repeated.ts";

export function softmax({ rows, columns }: WorkOf<"softmax">): Promise<Job> {
  const x = uniform(1, [rows, columns], 4);
  const forward = compile((input: Tensor) => input.softmax());
  return repeated([x], () => forward(x));
}
