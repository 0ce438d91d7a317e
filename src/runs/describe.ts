/** Values of options in words, for a file: two runs with equal descriptions were asked for the same. */
import type { DType } from "../base/dtype.ts";
import { shapeText } from "../base/shape.ts";
import { Dataset } from "../data/index.ts";
import { Module } from "../nn/index.ts";
import { Optimizer } from "../optim/index.ts";
import type { Described, ModelFacts } from "./layout.ts";

const deepest = 6;
const longest = 1000;

export function describe(value: unknown, depth = 0): Described {
  if (value === undefined || value === null) return null;
  if (typeof value === "number") return Number.isFinite(value) ? value : String(value);
  if (typeof value === "string" || typeof value === "boolean") return value;
  if (typeof value === "function") return value.name === "" ? "a function" : value.name;
  if (typeof value !== "object" || depth > deepest) return String(value);
  if (Array.isArray(value)) return value.slice(0, longest).map((item) => describe(item, depth + 1));
  if (value instanceof Dataset) return `${value}`;
  if (value instanceof Module) return value.constructor.name;
  if (value instanceof Optimizer) return describeOptimizer(value);
  if (ArrayBuffer.isView(value)) return `${value.constructor.name} of ${value.byteLength} bytes`;
  const { metricName } = value as { metricName?: unknown };
  if (typeof metricName === "string") return metricName;
  if (value.constructor !== Object && value.constructor !== undefined) return value.constructor.name;
  return Object.fromEntries(
    Object.entries(value)
      .slice(0, longest)
      .map(([key, item]) => [key, describe(item, depth + 1)]),
  );
}

/** Its name and what its options are; of each group where there are several. */
export function describeOptimizer(optimizer: Optimizer): Described {
  const { name, groups } = optimizer.description;
  const described = groups.map((options) => describeRates(options as Record<string, unknown>));
  return described.length === 1 ? { name, ...described[0] } : { name, groups: described };
}

const describeRates = (options: Record<string, unknown>): Record<string, Described> =>
  Object.fromEntries(
    Object.entries(options).map(([key, value]) => [
      key,
      typeof value === "function" ? "a schedule" : describe(value),
    ]),
  );

export function describeModel(model: Module, sha256: string): ModelFacts {
  const { layers, parameters, trainableParameters } = model.summary();
  return {
    ...{ name: model.constructor.name, parameters, trainableParameters, sha256 },
    layers: layers
      .slice(0, longest)
      .map(({ path, name, parameters: own }) => ({ path, name, parameters: own })),
  };
}

export const columnText = ({ dtype, shape }: { dtype: DType; shape: readonly number[] }): string =>
  `${dtype} ${shapeText(shape)}`;
