/** Loading what fits: a report of the rest. */
import { nearestName } from "../base/errors.ts";
import type { HostArray } from "../base/host-array.ts";
import type { MappedArray } from "../base/mapped-array.ts";
import { sameShape, shapeText } from "../base/shape.ts";
import type { Module } from "../nn/index.ts";

/** What a partial load did with each name. */
export interface PartialReport {
  readonly loaded: readonly string[];
  /** States of the model without a value, each with the name of an unexpected value that is near. */
  readonly missing: readonly { readonly name: string; readonly nearest: string | undefined }[];
  /** Values that the model has no state for. */
  readonly unexpected: readonly string[];
  /** Values of another shape than the model's: `(10, 64)` in the model, `(100, 64)` in the file. */
  readonly mismatched: readonly { readonly name: string; readonly model: string; readonly file: string }[];
  /** All of it as lines of text. */
  toString(): string;
}

/**
 * Sets those states of a model for which there is a value of the same name and shape, leaves the others as they are, and says
 * what became of each name: for a new head on a trained body, or weights whose names differ a little. Other dtypes are converted.
 *
 * @param values by name: the tensors of `readTorch` or `readSafetensors`
 * @example
 * const pretrained = new Sequential(new Linear(4, 8), new ReLU(), new Linear(8, 10));
 * const model = new Sequential(new Linear(4, 8), new ReLU(), new Linear(8, 2));
 * const report = loadPartial(model, pretrained.stateDict());
 * report.mismatched.map(({ name }) => name); // ["2.weight", "2.bias"]
 */
export function loadPartial(
  model: Module,
  values: ReadonlyMap<string, HostArray | MappedArray | { readonly shape: readonly number[] }>,
): PartialReport {
  const states = model.stateDict();
  const fitting = new Map<string, never>();
  const mismatched: { name: string; model: string; file: string }[] = [];
  for (const [name, state] of states) {
    const value = values.get(name);
    if (value === undefined) continue;
    if (sameShape(state.shape, value.shape)) fitting.set(name, value as never);
    else mismatched.push({ name, model: shapeText(state.shape), file: shapeText(value.shape) });
  }
  const unexpected = [...values.keys()].filter((name) => !states.has(name));
  const { missing } = model.loadStateDict(fitting, { strict: false, cast: true });
  const refused = new Set(mismatched.map(({ name }) => name));
  const report = {
    loaded: [...fitting.keys()],
    missing: missing
      .filter((name) => !refused.has(name))
      .map((name) => ({ name, nearest: nearestName(name, unexpected) })),
    unexpected,
    mismatched,
  };
  return { ...report, toString: () => textOf(report) };
}

/** Of a load that left nothing out. */
export function wholeReport(names: Iterable<string>): PartialReport {
  const report = { loaded: [...names], missing: [], unexpected: [], mismatched: [] };
  return { ...report, toString: () => textOf(report) };
}

const mostShown = 20;

function textOf({ loaded, missing, unexpected, mismatched }: Omit<PartialReport, "toString">): string {
  const lines = [
    ...mismatched.map(
      ({ name, model, file }) => `other shape: ${name} is ${model} in the model, ${file} in the file`,
    ),
    ...missing.map(({ name, nearest }) => `missing: ${name}${nearest ? ` (the file has ${nearest})` : ""}`),
    ...unexpected.map((name) => `unexpected: ${name}`),
  ];
  const rest = lines.length > mostShown ? [`… and ${lines.length - mostShown} more`] : [];
  return [`${loaded.length} loaded`, ...lines.slice(0, mostShown), ...rest].join("\n");
}
