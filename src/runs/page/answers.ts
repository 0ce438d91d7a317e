/** What the model answered on its validation data: confusions, curves, calibration, errors. */
import { type Chart, confusionChart, histogramChart, lineChart, scatterChart } from "../../report/index.ts";
import type { ClassCurve, Classification } from "../classification.ts";
import type { Evaluation } from "../evaluation.ts";
import type { Regression } from "../regression.ts";
import { type FigureOptions, figure } from "./figure.ts";
import { numberText, percentText } from "./format.ts";
import { type Html, html } from "./html.ts";

type Drawn = readonly [chart: Chart, options: FigureOptions];

export async function answersSection(found: Evaluation): Promise<Html> {
  const drawn = found.kind === "classification" ? classificationCharts(found) : regressionCharts(found);
  const figures = await Promise.all(drawn.map(([chart, options]) => figure(chart, options)));
  const table = found.kind === "classification" ? classTable(found) : regressionTable(found);
  return html`<section id="answers"><h2>Answers on the validation data</h2>
<p class="lead">${leadOf(found)}</p><div class="grid">${figures}</div>${table}</section>`;
}

const leadOf = (found: Evaluation): string =>
  found.kind === "classification"
    ? `${numberText(found.samples)} samples, ${found.classes.length} classes: ${percentText(found.accuracy)} right.`
    : `${numberText(found.samples)} samples; the mean error is ${numberText(found.scores.meanAbsoluteError)}.`;

/** More classes than a picture can hold: the table below has them. */
const mostCells = 40;

function classificationCharts(found: Classification): Drawn[] {
  const { classes, confusion, roc, precisionRecall, calibration, calibrationError } = found;
  const matrix = confusionChart({ names: classes, counts: confusion });
  const reliability = lineChart({
    ...{
      title: "Calibration",
      x: "what the model said",
      y: "share that was right",
      diagonal: true,
      points: true,
    },
    ...{ xLimits: [0, 1], yLimits: [0, 1] },
    series: [
      {
        name: "model",
        x: calibration.map(({ confidence }) => confidence),
        y: calibration.map(({ accuracy }) => accuracy),
      },
    ],
  });
  const perfect = `Expected calibration error ${percentText(calibrationError)}; the dashed line is a model that knows what it knows.`;
  return [
    ...(classes.length <= mostCells
      ? [[matrix, { note: "Rows are actual classes; colours are shares of a row." }] as Drawn]
      : []),
    ...(roc.length === 0 ? [] : [[rocChart(roc), { note: areasText("Area below", roc) }] as Drawn]),
    ...(precisionRecall.length === 0
      ? []
      : [
          [
            precisionRecallChart(precisionRecall),
            { note: areasText("Average precision", precisionRecall) },
          ] as Drawn,
        ]),
    [reliability, { note: perfect }],
  ];
}

const areasText = (what: string, curves: readonly ClassCurve[]): string => {
  const areas = curves.map(({ area }) => area);
  const [low, high] = [Math.min(...areas), Math.max(...areas)];
  return curves.length === 1
    ? `${what} ${low.toFixed(4)}.`
    : `${what} ${low.toFixed(4)} to ${high.toFixed(4)}, each class against the rest.`;
};

const rocChart = (curves: readonly ClassCurve[]): Chart =>
  lineChart({
    ...{ title: "ROC curve", x: "false positive rate", y: "true positive rate", diagonal: true },
    ...{ xLimits: [0, 1], yLimits: [0, 1], series: curves },
  });

const precisionRecallChart = (curves: readonly ClassCurve[]): Chart =>
  lineChart({
    ...{ title: "Precision and recall", x: "recall", y: "precision", xLimits: [0, 1], yLimits: [0, 1] },
    series: curves,
  });

function classTable({ perClass, averages }: Classification): Html {
  const bar = (share: number): Html =>
    html`<td class="share"><span style="--share:${Number.isFinite(share) ? share : 0}">${Number.isFinite(share) ? share.toFixed(3) : "–"}</span></td>`;
  const rows = [...perClass, ...averages].map(
    ({ name, precision, recall, f1Score, support }, i) =>
      html`<tr class="${i >= perClass.length && "average"}"><th scope="row">${name}</th>${[precision, recall, f1Score].map(bar)}<td>${numberText(support)}</td></tr>`,
  );
  return html`<div class="card"><h3>By class</h3><div class="scroll"><table class="classes"><thead><tr><th scope="col">class</th>
<th scope="col">precision</th><th scope="col">recall</th><th scope="col">F1</th><th scope="col">samples</th></tr></thead><tbody>${rows}</tbody></table></div></div>`;
}

function regressionCharts({ points, errors }: Regression): Drawn[] {
  return [
    [
      scatterChart({ title: "Predicted and actual", x: "actual", y: "predicted", points, diagonal: true }),
      { note: "On the dashed line an answer is right." },
    ],
    [
      histogramChart({ title: "Errors", x: "predicted − actual", y: "samples", ...errors }),
      { note: `Mean ${numberText(errors.mean)}, deviation ${numberText(errors.deviation)}.` },
    ],
  ];
}

function regressionTable({ scores: { meanAbsoluteError, rootMeanSquaredError, r2 } }: Regression): Html {
  const rows = {
    "mean absolute error": meanAbsoluteError,
    "root mean squared error": rootMeanSquaredError,
    "R²": r2,
  };
  return html`<div class="card"><h3>Scores</h3><table class="facts"><tbody>${Object.entries(rows).map(
    ([name, value]) => html`<tr><th scope="row">${name}</th><td>${numberText(value)}</td></tr>`,
  )}</tbody></table></div>`;
}
