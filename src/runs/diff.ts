/** Two runs side by side: what they were asked for, and the first step where they part. */
import type { Described, EpochLine, StepLine } from "./layout.ts";
import type { RunRecord } from "./read.ts";

/** One fact that differs; undefined where a run does not have it. */
export interface Difference {
  /** Such as `options.optimizer.learningRate`. */
  readonly name: string;
  readonly first: Described | undefined;
  readonly second: Described | undefined;
}

/** Where two runs part. */
export interface Parting {
  readonly step: number;
  readonly epoch: number | undefined;
  /** `loss`, or `weights`: the digest. */
  readonly what: string;
  readonly first: number | string;
  readonly second: number | string;
}

export interface RunDifference {
  readonly options: readonly Difference[];
  readonly model: readonly Difference[];
  readonly data: readonly Difference[];
  readonly code: readonly Difference[];
  readonly environment: readonly Difference[];
  /** The first value that differs; undefined where all that both have are equal, bit for bit. */
  readonly parting: Parting | undefined;
  /** The last step that both have with equal values; 0 for none. */
  readonly equalUntil: number;
  /** Steps that both runs have. */
  readonly sharedSteps: number;
}

/**
 * What differs between two runs: options, model, data, code and environment; then step by step where losses, scores or
 * digests of weights are first not the same.
 *
 * @example
 * for (const [name, rate] of [["one", 0.1], ["two", 0.2]] as const) {
 *   const run = recordRun({ name, options: { rate } });
 *   for (let step = 1; step <= 3; step++) run.log({ loss: step < 2 ? 1 : 1 - rate }, step);
 *   await run.close();
 * }
 * const { parting, options } = diffRuns(await readRun("runs/one"), await readRun("runs/two"));
 * parting!.step;    // 2
 * options[0]!.name; // "options.rate"
 */
export function diffRuns(first: RunRecord, second: RunRecord): RunDifference {
  const [a, b] = [first, second];
  const code = ({ environment, config }: RunRecord): unknown => ({
    ...environment?.code,
    config: config.program.config?.sha256,
  });
  const machine = ({ environment: { code: _, ...rest } = {} as never }: RunRecord): unknown => rest;
  return {
    options: differences("options", optionsOf(a), optionsOf(b)),
    model: differences("model", a.config.model, b.config.model),
    data: differences("data", a.config.data, b.config.data),
    code: differences("code", code(a), code(b)),
    environment: differences("environment", machine(a), machine(b)),
    ...partingOf(pointsOf(a), pointsOf(b)),
  };
}

const optionsOf = ({ config: { options, epochs } }: RunRecord): unknown => ({ ...options, epochs });

/** Leaves of two JSON values that are not the same, by path. */
export function differences(name: string, first: unknown, second: unknown): Difference[] {
  if (Object.is(first, second)) return [];
  if (isObject(first) && isObject(second)) {
    const keys = [...new Set([...Object.keys(first), ...Object.keys(second)])];
    return keys.flatMap((key) => differences(`${name}.${key}`, first[key], second[key]));
  }
  return [{ name, first: first as Described | undefined, second: second as Described | undefined }];
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null;

/** Everything that is known after one step. */
interface Point {
  readonly step: number;
  readonly epoch: number | undefined;
  readonly values: Readonly<Record<string, number | string>>;
}

/** Steps, and what an epoch's end adds to the last of them. Times are not compared. */
function pointsOf({ steps, epochs }: RunRecord): Point[] {
  const points = new Map<number, Point>();
  for (const { step, epoch, values, weights } of steps)
    points.set(step, { step, epoch, values: { ...values, ...digest({ weights }) } });
  for (const line of epochs) {
    const values = { ...points.get(line.step)?.values, ...epochValues(line) };
    points.set(line.step, { step: line.step, epoch: line.epoch, values });
  }
  return [...points.values()].sort((a, b) => a.step - b.step);
}

const digest = ({ weights }: Pick<StepLine, "weights">): Record<string, string> =>
  weights === undefined ? {} : { weights };

const epochValues = ({ scores, weights }: EpochLine): Record<string, number | string> => ({
  ...Object.fromEntries(Object.entries(scores).map(([name, value]) => [`epoch ${name}`, value])),
  ...digest({ weights }),
});

function partingOf(
  first: readonly Point[],
  second: readonly Point[],
): Pick<RunDifference, "parting" | "equalUntil" | "sharedSteps"> {
  const others = new Map(second.map((point) => [point.step, point]));
  const shared = first.flatMap((point) =>
    others.has(point.step) ? [[point, others.get(point.step)!] as const] : [],
  );
  let equalUntil = 0;
  for (const [a, b] of shared) {
    const what = Object.keys(a.values).find(
      (name) => b.values[name] !== undefined && !Object.is(a.values[name], b.values[name]),
    );
    if (what !== undefined) {
      const parting = { step: a.step, epoch: a.epoch, what, first: a.values[what]!, second: b.values[what]! };
      return { parting, equalUntil, sharedSteps: shared.length };
    }
    equalUntil = a.step;
  }
  return { parting: undefined, equalUntil, sharedSteps: shared.length };
}
