/** Spaces: parameters by name, some of which are there only where others have certain values. */
import { ArgumentError, nearestName } from "../base/errors.ts";
import {
  type Choice,
  type ChoiceValue,
  contains,
  countOf,
  type Distribution,
  distributionText,
  fromUnit,
  type ValueOf,
} from "./distribution.ts";

/** A parameter that is there only where another has a value that `accepts` takes. */
export interface Conditional<D extends Distribution | Conditional = any> {
  readonly kind: "when";
  readonly name: string;
  readonly accepts: (value: any) => boolean;
  /** The one value that is accepted, where it is one. */
  readonly value?: ChoiceValue;
  readonly parameter: D;
}

export type Parameter = Distribution | Conditional;

export type ParameterValue<P> = P extends Conditional<infer D> ? ParameterValue<D> | undefined : ValueOf<P>;

/** The values of a space, by name; what a condition left out is undefined. */
export type ParametersOf<S> = S extends Space<infer T> ? T : never;

/** Any set of values. */
export type Parameters = Readonly<Record<string, ChoiceValue | undefined>>;

export interface Space<T = Parameters> {
  readonly names: readonly string[];
  /** By name, conditions left aside. */
  readonly distributions: ReadonlyMap<string, Distribution>;
  /** Those that are always there: what samplers can choose together. */
  readonly always: ReadonlyMap<string, Distribution>;
  /** The values, each asked for in turn where its condition holds. */
  draw(suggest: (name: string, distribution: Distribution) => ChoiceValue): T;
}

/**
 * A parameter that is there only where another, which the space names before it, has a certain value: one that equals `value`, or
 * that the function accepts.
 *
 * @example
 * const search = space({
 *   optimizer: choice("adam", "sgd"),
 *   momentum: when("optimizer", "sgd", uniform(0, 0.99)),   // number | undefined
 * });
 * search.draw((name) => (name === "optimizer" ? "adam" : 0.5)).momentum // undefined
 */
export function when<const V extends ChoiceValue, D extends Parameter>(
  name: string,
  value: V | ((value: any) => boolean),
  parameter: D,
): Conditional<D> {
  const accepts = typeof value === "function" ? value : (other: unknown) => other === value;
  return { kind: "when", name, accepts, ...(typeof value === "function" ? {} : { value }), parameter };
}

function innermost(parameter: Parameter): Distribution {
  return parameter.kind === "when" ? innermost(parameter.parameter) : parameter;
}

function checkParameter(
  name: string,
  parameter: Parameter,
  before: Readonly<Record<string, Parameter>>,
  all: readonly string[],
): void {
  const kind = (parameter as Parameter | undefined)?.kind;
  if (kind === undefined || !["real", "integer", "choice", "when"].includes(kind)) {
    const came = typeof parameter === "object" ? JSON.stringify(parameter) : String(parameter);
    throw new ArgumentError(
      `space: "${name}" must be uniform, logUniform, integer, choice or when, got ${came}; one value alone is choice(${came})`,
    );
  }
  if (parameter.kind !== "when") return;
  if (!Object.hasOwn(before, parameter.name))
    throw new ArgumentError(conditionText(name, parameter.name, Object.keys(before), all));
  const of = innermost(before[parameter.name]!);
  if (parameter.value !== undefined && !contains(of, parameter.value))
    throw new ArgumentError(
      `space: "${name}" is there when "${parameter.name}" is ${JSON.stringify(parameter.value)}, which it cannot be: it is ${distributionText(of)}`,
    );
  checkParameter(name, parameter.parameter, before, all);
}

function conditionText(
  name: string,
  asked: string,
  before: readonly string[],
  all: readonly string[],
): string {
  if (asked === name) return `space: "${name}" depends on itself`;
  if (all.includes(asked))
    return `space: "${name}" depends on "${asked}", which comes after it; put "${asked}" first`;
  const nearest = nearestName(asked, before);
  const hint =
    nearest === undefined
      ? `parameters before it are ${before.join(", ") || "none"}`
      : `did you mean "${nearest}"?`;
  return `space: "${name}" depends on "${asked}", which is no parameter; ${hint}`;
}

/**
 * A typed space of parameters.
 *
 * @throws ArgumentError for what is no parameter, and for a condition on a parameter that does not come before or cannot have the value
 * @example
 * const search = space({
 *   learningRate: logUniform(1e-5, 1e-1),
 *   layers: integer(1, 4),
 *   optimizer: choice("adam", "sgd"),
 *   momentum: when("optimizer", "sgd", uniform(0, 0.99)),
 * });
 * search.names // ["learningRate", "layers", "optimizer", "momentum"]
 */
export function space<const P extends Readonly<Record<string, Parameter>>>(
  parameters: P,
): Space<{ readonly [K in keyof P]: ParameterValue<P[K]> }> {
  const entries = Object.entries(parameters);
  const names = entries.map(([name]) => name);
  if (names.length === 0) throw new ArgumentError("space: needs at least one parameter");
  for (const [i, [name, parameter]] of entries.entries())
    checkParameter(name, parameter, Object.fromEntries(entries.slice(0, i)), names);
  return {
    names,
    distributions: new Map(entries.map(([name, parameter]) => [name, innermost(parameter)])),
    always: new Map(entries.filter((entry): entry is [string, Distribution] => entry[1].kind !== "when")),
    draw(suggest) {
      const values: Record<string, ChoiceValue | undefined> = {};
      for (const [name, parameter] of entries) {
        const distribution = reached(parameter, values);
        values[name] = distribution && suggest(name, distribution);
      }
      return values as never;
    },
  };
}

/** What is to be drawn, or undefined where a condition does not hold. */
function reached(parameter: Parameter, values: Parameters): Distribution | undefined {
  if (parameter.kind !== "when") return parameter;
  const value = values[parameter.name];
  return value !== undefined && parameter.accepts(value) ? reached(parameter.parameter, values) : undefined;
}

/** The values of a grid: all there are, or `points` of them spread evenly where there are more. */
export function gridValues(distribution: Distribution, points: number): ChoiceValue[] {
  if (distribution.kind === "choice") return [...distribution.values];
  const count = Math.min(points, countOf(distribution));
  const all = countOf(distribution) <= points;
  const at = (i: number): number => (all ? (i + 0.5) / count : count === 1 ? 0.5 : i / (count - 1));
  return [...new Set(Array.from({ length: count }, (_, i) => fromUnit(distribution, at(i))))];
}

/** All combinations of a space, conditions respected, the last parameter changing fastest. */
export function* combinations(
  over: Space<any>,
  valuesOf: (name: string, distribution: Distribution) => readonly ChoiceValue[],
): Generator<ReadonlyMap<string, ChoiceValue>> {
  // Counts like an odometer whose wheels are found on the way: which there are depends on those before.
  let wheels: { at: number; size: number }[] = [];
  for (;;) {
    const drawn = new Map<string, ChoiceValue>();
    let depth = 0;
    over.draw((name, distribution) => {
      const values = valuesOf(name, distribution);
      const wheel = (wheels[depth++] ??= { at: 0, size: values.length });
      drawn.set(name, values[wheel.at]!);
      return values[wheel.at]!;
    });
    yield drawn;
    wheels = wheels.slice(0, depth);
    while (wheels.length > 0 && wheels.at(-1)!.at + 1 >= wheels.at(-1)!.size) wheels.pop();
    if (wheels.length === 0) return;
    wheels.at(-1)!.at++;
  }
}

export type { Choice };
