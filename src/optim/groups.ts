/** Parameters in groups, each with options of its own. */
import { ArgumentError } from "../base/errors.ts";
import type { Parameter } from "../nn/index.ts";
import { requireRange } from "./options.ts";

/** Parameters with options of their own; what is left out is the optimizer's. */
export type ParameterGroup<Options> = Partial<Options> & {
  readonly parameters: Iterable<Parameter>;
  /** What the optimizer's learning rate, number or schedule, is multiplied by; 1 unless told otherwise. */
  readonly learningRateScale?: number;
};

/** What optimizers are made for: parameters, or groups of them. */
export type Parameters<Options> = Iterable<Parameter> | readonly ParameterGroup<Options>[];

export interface Group<Options> {
  readonly options: Partial<Options>;
  readonly parameters: Parameter[];
  readonly learningRateScale?: number;
}

/** The groups with their parameters listed and their options apart. */
export function groupsOf<Options>(what: string, given: Parameters<Options>): Group<Options>[] {
  const items = [...given] as (Parameter | ParameterGroup<Options>)[];
  const groups = items.some(isGroup)
    ? items.map((item) => ownGroup(what, item))
    : [{ options: {}, parameters: items as Parameter[] }];
  const all = groups.flatMap((group) => group.parameters);
  if (all.length === 0) {
    throw new ArgumentError(`${what}: no parameters; pass model.parameters(), of a model that has some`);
  }
  const twice = all.find((parameter, index) => all.indexOf(parameter) !== index);
  if (twice)
    throw new ArgumentError(`${what}: parameter "${twice.name}" is given twice; list it in one group`);
  return groups;
}

/** What does not decay: see `OptimizerOptions.noDecay`. */
export type NoDecay = "norms and biases";

/** Each group parted in two: scalars and vectors without decay, and the rest. */
export function withoutDecay<Options extends object>(
  what: string,
  groups: readonly Group<Options>[],
  { noDecay, defaults }: { noDecay: NoDecay; defaults: object },
): Group<Options>[] {
  if (noDecay !== "norms and biases")
    throw new ArgumentError(`${what}: noDecay must be "norms and biases", got "${String(noDecay)}"`);
  if (!("weightDecay" in defaults)) throw new ArgumentError(`${what}: there is no weight decay to leave out`);
  return groups.flatMap(({ options, parameters, ...rest }) => {
    const isVector = ({ shape }: Parameter): boolean => (shape as readonly number[]).length < 2;
    const parts = [
      { ...rest, options, parameters: parameters.filter((parameter) => !isVector(parameter)) },
      { ...rest, options: { ...options, weightDecay: 0 }, parameters: parameters.filter(isVector) },
    ];
    return parts.filter((part) => part.parameters.length > 0);
  });
}

const isGroup = <Options>(item: Parameter | ParameterGroup<Options>): item is ParameterGroup<Options> =>
  "parameters" in item;

function ownGroup<Options>(what: string, item: Parameter | ParameterGroup<Options>): Group<Options> {
  if (!isGroup(item)) {
    throw new ArgumentError(`${what}: parameters and groups are mixed; put every parameter in a group`);
  }
  const { parameters, learningRateScale = 1, ...options } = item;
  requireRange(what, "learningRateScale", learningRateScale, 0);
  return { options: options as unknown as Partial<Options>, parameters: [...parameters], learningRateScale };
}

/** A name for each parameter: its own where that is unique, else its place in the list. */
export function parameterNames(parameters: readonly Parameter[]): string[] {
  const names = parameters.map((parameter) => parameter.name);
  const isUnique = new Set(names).size === names.length;
  return isUnique ? names : names.map((_, index) => String(index));
}
