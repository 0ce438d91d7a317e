/** Answers that are numbers: how far from right they are. */
import { decode } from "../base/dtype.ts";
import { RegressionScores } from "../metrics/index.ts";
import { distributionOf } from "./distribution.ts";
import type { Answers, KeptMistake } from "./evaluation.ts";
import type { Distribution } from "./layout.ts";

export interface Regression {
  readonly kind: "regression";
  readonly samples: number;
  /** Actual and predicted, of samples spread evenly. */
  readonly points: readonly (readonly [actual: number, predicted: number])[];
  readonly scores: {
    readonly meanAbsoluteError: number;
    readonly rootMeanSquaredError: number;
    readonly r2: number;
  };
  /** Of predicted − actual. */
  readonly errors: Distribution;
  readonly mistakes: readonly KeptMistake[];
}

const shownPoints = 500;

/** Undefined where the answers are not one number for each label. */
export async function regressionOf({
  answers,
  labels,
  mistakes,
  keep,
}: Answers): Promise<Regression | undefined> {
  const samples = labels.shape[0]!;
  if (samples === 0 || answers.data.length !== samples || labels.data.length !== samples) return undefined;
  const predicted = decode(answers.dtype, answers.data as never);
  const actual = decode(labels.dtype, labels.data as never);
  const errors = predicted.map((value, i) => value - actual[i]!);
  const scores = new RegressionScores().update(predicted, actual);
  const count = Math.min(shownPoints, samples);
  const order = Array.from(errors, (_, i) => i).sort((a, b) => Math.abs(errors[b]!) - Math.abs(errors[a]!));
  return {
    ...{ kind: "regression", samples, errors: distributionOf(errors) },
    points: Array.from({ length: count }, (_, i) => {
      const at = Math.floor((i * samples) / count);
      return [actual[at]!, predicted[at]!] as const;
    }),
    scores: {
      meanAbsoluteError: scores.meanAbsoluteError(),
      rootMeanSquaredError: scores.rootMeanSquaredError(),
      r2: scores.r2(),
    },
    mistakes: await Promise.all(
      order.slice(0, mistakes).map(async (index) => ({
        ...{
          index,
          actual: actual[index]!,
          predicted: predicted[index]!,
          confidence: Math.abs(errors[index]!),
        },
        input: await keep(index),
      })),
    ),
  };
}
