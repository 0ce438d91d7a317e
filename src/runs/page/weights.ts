/** Distributions of weights and gradients. */
import { histogramChart, lineChart } from "../../report/index.ts";
import type { HistogramLine } from "../layout.ts";
import { figure } from "./figure.ts";
import { numberText } from "./format.ts";
import { type Html, html } from "./html.ts";

/** Parameters with pictures of their own: the largest; the table has all. */
const mostPictures = 8;

export async function weightsSection(lines: readonly HistogramLine[]): Promise<Html | undefined> {
  if (lines.length === 0) return undefined;
  const step = lines.at(-1)!.step;
  const last = lines.filter((line) => line.step === step);
  const size = (line: HistogramLine): number => line.weights.counts.reduce((sum, count) => sum + count, 0);
  const largest = [...last].sort((a, b) => size(b) - size(a)).slice(0, mostPictures);
  const shown = last.filter((line) => largest.includes(line));
  const figures = await Promise.all([normsFigure(lines, shown), ...shown.flatMap(histogramFigures)]);
  return html`<section id="weights"><h2>Weights and gradients</h2>
<p class="lead">After step ${numberText(step)}${shown.length < last.length && `; the ${shown.length} largest of ${last.length} parameters have pictures`}.</p>
<div class="grid small">${figures}</div>${statisticsTable(last, size)}</section>`;
}

/** How each parameter grew. */
function normsFigure(lines: readonly HistogramLine[], shown: readonly HistogramLine[]): Promise<Html> {
  const series = shown.map(({ parameter }) => {
    const own = lines.filter((line) => line.parameter === parameter);
    return { name: parameter, x: own.map(({ step }) => step), y: own.map(({ weights }) => weights.norm) };
  });
  return figure(lineChart({ title: "Norms of the weights", x: "step", y: "", series, logY: true }), small);
}

const small = { width: 360, height: 220 };

function histogramFigures({ parameter, weights, gradients }: HistogramLine): Promise<Html>[] {
  const note = (of: { mean: number; deviation: number }): string =>
    `mean ${numberText(of.mean)}, deviation ${numberText(of.deviation)}`;
  const drawn = [
    figure(histogramChart({ title: `${parameter}: weights`, x: "", y: "", ...weights }), {
      ...small,
      height: 160,
      note: note(weights),
    }),
  ];
  if (gradients !== undefined)
    drawn.push(
      figure(histogramChart({ title: `${parameter}: gradients`, x: "", y: "", ...gradients }), {
        ...small,
        height: 160,
        note: note(gradients),
      }),
    );
  return drawn;
}

function statisticsTable(last: readonly HistogramLine[], size: (line: HistogramLine) => number): Html {
  const rows = last.map((line) => {
    const { parameter, weights, gradients } = line;
    const cells = [size(line), weights.mean, weights.deviation, weights.norm].map(numberText);
    const bad = weights.notFinite + (gradients?.notFinite ?? 0);
    return html`<tr><th scope="row">${parameter}</th>${[...cells, gradients ? numberText(gradients.norm) : "–", bad === 0 ? "0" : numberText(bad)].map((cell) => html`<td>${cell}</td>`)}</tr>`;
  });
  return html`<div class="card"><h3>All parameters</h3><div class="scroll"><table><thead><tr><th scope="col">parameter</th><th scope="col">numbers</th><th scope="col">mean</th>
<th scope="col">deviation</th><th scope="col">norm</th><th scope="col">norm of gradients</th><th scope="col">not finite</th></tr></thead><tbody>${rows}</tbody></table></div></div>`;
}
