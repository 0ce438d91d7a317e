/** What `accuracy.ts` prints: every accuracy, the means beside the references', and whether the bits agree. */
import type { Machine } from "./machine.ts";
import { table } from "./report.ts";

/** The learning rate's schedule. */
export type Recipe = "constant" | "linear";

/** The line of JSON that the example prints, as far as it is used here. */
export interface Run {
  readonly seed: number;
  readonly threads: number;
  readonly testAccuracy: number;
  readonly weightsSha256: string;
  readonly microsecondsPerStep: number;
  readonly target: string;
}

/** The same recipe in another framework, by its name. */
export type Reference = Readonly<
  Record<string, { readonly recipes: Readonly<Record<Recipe, { readonly accuracies: readonly number[] }>> }>
>;

export interface AccuracyReport {
  readonly date: string;
  readonly machine: Machine;
  readonly epochs: number;
  readonly runs: Readonly<Record<Recipe, readonly Run[]>>;
  /** Seed 0 of the plain recipe once more, with several numbers of threads. */
  readonly repeated: readonly Run[];
  readonly reference: Reference;
}

/** The plain mean may be so far from a reference's mean, in points. */
const MOST_POINTS_APART = 0.1;
/** What the mean must reach where the learning rate falls to zero, in per cent. */
const LEAST_LINEAR = 97.7;

const titles: Readonly<Record<Recipe, string>> = {
  constant: "plain: Adam 1e-3",
  linear: "learning rate falling to 0",
};

interface Distribution {
  readonly count: number;
  /** In per cent. */
  readonly mean: number;
  readonly standardDeviation: number;
}

function distributionOf(accuracies: readonly number[]): Distribution {
  const count = accuracies.length;
  const mean = (100 * accuracies.reduce((sum, value) => sum + value, 0)) / count;
  const squares = accuracies.reduce((sum, value) => sum + (100 * value - mean) ** 2, 0);
  return { count, mean, standardDeviation: count > 1 ? Math.sqrt(squares / (count - 1)) : 0 };
}

const percent = (value: number, digits = 3): string => value.toFixed(digits);

/** The page, and what did not hold. */
export function accuracyText(report: AccuracyReport): { text: string; failures: readonly string[] } {
  const { machine, date, epochs, runs, repeated } = report;
  const own = Object.fromEntries(
    Object.entries(runs).map(([recipe, list]) => [recipe, distributionOf(accuracies(list))]),
  ) as Record<Recipe, Distribution>;
  const verdicts = [...verdictsOf(own, report.reference), bitsVerdict(runs.constant[0], repeated)];
  const failures = verdicts.filter(({ holds }) => !holds).map(({ text }) => text);
  const target = runs.constant[0].target;
  const text = `# Accuracy

784-64-64-10 on MNIST, ${epochs} epochs, batch 32, test accuracy in per cent, made by

    npm run accuracy -- --write

with \`node build/examples/mnist.js\`, a process for each seed, on ${date.slice(0, 10)} (UTC): target ${target},
${machine.processor}, Node ${machine.node.slice(1)}.

${summaryTable(own, report.reference)}

${verdicts.map(({ text, holds }) => `- ${text}: ${holds ? "yes" : "NO"}`).join("\n")}

## Every seed

${seedTable(runs)}

## The same bits

SHA-256 of the weights of seed 0, plain, in fresh processes:

${bitsTable([runs.constant[0], ...repeated])}
`;
  return { text, failures };
}

const accuracies = (runs: readonly Run[]): readonly number[] => runs.map(({ testAccuracy }) => testAccuracy);

interface Verdict {
  readonly text: string;
  readonly holds: boolean;
}

function verdictsOf(own: Readonly<Record<Recipe, Distribution>>, reference: Reference): readonly Verdict[] {
  const apart = Object.entries(reference).map(([name, { recipes }]) => {
    const points = own.constant.mean - distributionOf(recipes.constant.accuracies).mean;
    return {
      text: `the plain mean is within ${MOST_POINTS_APART} points of ${name}'s (${points < 0 ? "" : "+"}${percent(points)})`,
      holds: Math.abs(points) <= MOST_POINTS_APART,
    };
  });
  const linear = own.linear.mean;
  const reached = {
    text: `with the falling rate the mean is at least ${LEAST_LINEAR}`,
    holds: linear >= LEAST_LINEAR,
  };
  return [...apart, reached];
}

function bitsVerdict(first: Run, repeated: readonly Run[]): Verdict {
  const holds = repeated.every(({ weightsSha256 }) => weightsSha256 === first.weightsSha256);
  const threads = repeated.map((run) => run.threads).join(", ");
  return {
    text: `the same seed gives the same weights, bit for bit, again and with ${threads} threads`,
    holds,
  };
}

function summaryTable(own: Readonly<Record<Recipe, Distribution>>, reference: Reference): string {
  const row = (title: string, name: string, { count, mean, standardDeviation }: Distribution): string[] => [
    title,
    name,
    String(count),
    percent(mean),
    percent(standardDeviation),
  ];
  const rows = (Object.keys(titles) as Recipe[]).flatMap((recipe) => [
    row(titles[recipe], "Netwright", own[recipe]),
    ...Object.entries(reference).map(([name, { recipes }]) =>
      row("", name, distributionOf(recipes[recipe].accuracies)),
    ),
  ]);
  return table(["recipe", "framework", "seeds", "mean", "standard deviation"], rows);
}

function seedTable({ constant, linear }: AccuracyReport["runs"]): string {
  const rows = constant.map(({ seed, testAccuracy }, index) => [
    String(seed),
    percent(100 * testAccuracy, 2),
    percent(100 * linear[index].testAccuracy, 2),
  ]);
  return table(["seed", titles.constant, titles.linear], rows);
}

function bitsTable(runs: readonly Run[]): string {
  const rows = runs.map(({ threads, weightsSha256 }) => [String(threads), `\`${weightsSha256}\``]);
  return table(["threads", "weights"], rows);
}
