/** The distributions of a model's weights and gradients at one step. */
import type { HostArray } from "../base/host-array.ts";
import type { Module } from "../nn/index.ts";
import { distributionOfArray } from "./distribution.ts";
import type { HistogramLine } from "./layout.ts";

export interface HistogramSource {
  readonly model: Module;
  readonly step: number;
  readonly epoch: number;
  readonly gradients: ReadonlyMap<string, HostArray> | undefined;
}

export async function histogramLines({
  model,
  step,
  epoch,
  gradients,
}: HistogramSource): Promise<HistogramLine[]> {
  const reads = [...model.namedParameters()].map(async ([parameter, value]) => {
    const weights = distributionOfArray(await value.toHost());
    const gradient = gradients?.get(parameter);
    return {
      step,
      epoch,
      parameter,
      weights,
      ...(gradient ? { gradients: distributionOfArray(gradient) } : {}),
    };
  });
  return Promise.all(reads);
}
