/** Learning curves, and where the time of a step goes. */
import { barChart, type Chart, type LineChart, lineChart, type Series } from "../../report/index.ts";
import type { RunRecord } from "../read.ts";
import { wordsOf } from "./format.ts";

const mostPoints = 300;

/** Means of consecutive pieces: a curve of 100,000 steps has no more points than a screen. */
export function thinned(x: readonly number[], y: readonly number[]): { x: number[]; y: number[] } {
  const count = Math.min(mostPoints, x.length);
  const mean = (values: readonly number[], i: number): number => {
    const piece = values.slice(
      Math.floor((i * values.length) / count),
      Math.floor(((i + 1) * values.length) / count),
    );
    return piece.reduce((sum, value) => sum + value, 0) / piece.length;
  };
  const places = Array.from({ length: count }, (_, i) => i);
  return { x: places.map((i) => mean(x, i)), y: places.map((i) => mean(y, i)) };
}

/** A chart for each score: of training and validation, over epochs; the loss also by step. Of a loop of one's own over steps. */
export function learningCurves(run: RunRecord): LineChart[] {
  const { epochs } = run;
  if (epochs.length === 0) return stepCurves(run);
  const names = [...new Set(epochs.flatMap(({ scores }) => Object.keys(scores)))];
  const bases = names.filter((name) => !isValidation(name, names));
  return bases.map((name) => {
    const validation = names.find((other) => isValidation(other, [name]));
    return lineChart({
      ...{ title: titleOf(name), x: "epoch", y: "", logY: /loss/i.test(name) },
      series: [
        epochSeries(run, name, "training"),
        ...(validation === undefined ? [] : [epochSeries(run, validation, "validation")]),
        ...(name === "loss" ? [stepSeries(run)] : []),
      ],
      points: epochs.length <= 30,
    });
  });
}

/** `validationLoss`, where `loss` is there too. */
const isValidation = (name: string, names: readonly string[]): boolean =>
  names.some((base) => name === `validation${base[0]!.toUpperCase()}${base.slice(1)}`);

const titleOf = (name: string): string => {
  const words = wordsOf(name);
  return words[0]!.toUpperCase() + words.slice(1);
};

function epochSeries({ epochs }: RunRecord, name: string, title: string): Series {
  const known = epochs.filter(({ scores }) => scores[name] !== undefined);
  return { name: title, x: known.map(({ epoch }) => epoch), y: known.map(({ scores }) => scores[name]!) };
}

/** Steps stand at their part of an epoch, so that they share an axis with epochs. */
function stepSeries({ steps, config }: RunRecord): Series {
  const known = steps.filter(({ values }) => Number.isFinite(values["loss"]));
  const perEpoch = config.stepsPerEpoch ?? 1;
  const { x, y } = thinned(
    known.map(({ step }) => step / perEpoch),
    known.map(({ values }) => values["loss"]!),
  );
  return { name: "by step", x, y, style: "faint" };
}

function stepCurves({ steps }: RunRecord): LineChart[] {
  const names = [...new Set(steps.flatMap(({ values }) => Object.keys(values)))];
  return names.map((name) => {
    const known = steps.filter(({ values }) => values[name] !== undefined);
    const curve = thinned(
      known.map(({ step }) => step),
      known.map(({ values }) => values[name]!),
    );
    return lineChart({
      title: titleOf(name),
      x: "step",
      y: "",
      logY: /loss/i.test(name),
      series: [{ name, ...curve }],
    });
  });
}

/** The learning rate, and the norm of the gradients where it was recorded. */
export function stepCharts({ steps, epochs }: RunRecord): LineChart[] {
  const of = (value: (step: (typeof steps)[number]) => number | undefined): { x: number[]; y: number[] } => {
    const known = steps.flatMap((step) => {
      const found = value(step);
      return found === undefined || !Number.isFinite(found) ? [] : [[step.step, found] as const];
    });
    return thinned(
      known.map(([x]) => x),
      known.map(([, y]) => y),
    );
  };
  const chart = (
    title: string,
    name: string,
    curve: { x: number[]; y: number[] },
    logY = false,
  ): LineChart[] =>
    curve.x.length < 2 ? [] : [lineChart({ title, x: "step", y: "", logY, series: [{ name, ...curve }] })];
  // A loop of one's own has shown all its values among the learning curves.
  if (epochs.length === 0) return [];
  return [
    ...chart(
      "Learning rate",
      "learning rate",
      of(({ learningRate }) => learningRate),
    ),
    ...chart(
      "Norm of the gradients",
      "norm",
      of(({ values }) => values["gradientNorm"]),
      true,
    ),
  ];
}

/**
 * The charts of a run that need nothing but its steps and epochs: learning curves, learning rate, gradients, times.
 *
 * @example
 * const run = recordRun({ name: "charted" });
 * for (let step = 1; step <= 5; step++) run.log({ loss: 1 / step }, step);
 * await run.close();
 * runCharts(await readRun("runs/charted")).map(({ title }) => title); // ["Loss"]
 */
export function runCharts(run: RunRecord): Chart[] {
  const times = timeCharts(run);
  return [...learningCurves(run), ...stepCharts(run), ...(times ? [times.breakdown, times.overTime] : [])];
}

/** Milliseconds of a mean step by part, and of each step over the run; nothing where no times were recorded. */
export function timeCharts({ steps }: RunRecord) {
  const timed = steps.filter(({ ms }) => ms !== undefined);
  if (timed.length < 2) return undefined;
  // The first step compiles.
  const warm = timed.slice(1);
  const mean = (part: "data" | "compute" | "other"): number =>
    warm.reduce((sum, { ms }) => sum + ms![part], 0) / warm.length;
  const parts = {
    compute: mean("compute"),
    "waiting for data": mean("data"),
    callbacks: mean("other"),
  };
  const whole = ({ ms }: (typeof steps)[number]): number => ms!.data + ms!.compute + ms!.other;
  const curve = thinned(
    warm.map(({ step }) => step),
    warm.map(whole),
  );
  return {
    parts,
    firstMs: whole(timed[0]!),
    breakdown: barChart({
      ...{ title: "A mean step", x: "ms", y: "" },
      bars: Object.entries(parts).map(([name, value]) => ({ name, value })),
    }),
    overTime: lineChart({
      title: "Step time",
      logY: true,
      x: "step",
      y: "ms",
      series: [{ name: "ms a step", ...curve }],
    }),
  };
}
