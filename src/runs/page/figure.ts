/** A chart in a page: its drawing, its title, and its numbers in a table for who cannot see it. */
import { type Chart, renderSvg } from "../../report/index.ts";
import { numberText } from "./format.ts";
import { Html, html } from "./html.ts";

export interface FigureOptions {
  /** A sentence below the title. */
  readonly note?: string;
  readonly width?: number;
  readonly height?: number;
}

export async function figure(chart: Chart, { note, ...size }: FigureOptions = {}): Promise<Html> {
  const svg = new Html(await renderSvg(chart, { theme: "page", ...size }));
  return html`<figure class="card ${chart.kind}"><figcaption><h3>${chart.title}</h3>${note && html`<p>${note}</p>`}</figcaption>
${svg}
${dataTable(chart)}</figure>`;
}

/** Rows of a table that a person reads. */
const mostRows = 60;

function dataTable(chart: Chart): Html {
  const { titles, rows } = tableOf(chart);
  const shown = evenly(rows, mostRows);
  const left = shown.length < rows.length ? html`<p>${shown.length} of ${rows.length} rows</p>` : undefined;
  return html`<details><summary>Numbers</summary><div class="scroll"><table><thead><tr>${titles.map((title) => html`<th scope="col">${title}</th>`)}</tr></thead>
<tbody>${shown.map((row) => html`<tr>${row.map((cell) => html`<td>${typeof cell === "number" ? numberText(cell) : cell}</td>`)}</tr>`)}</tbody></table></div>${left}</details>`;
}

const evenly = <Item>(items: readonly Item[], count: number): Item[] =>
  items.length <= count
    ? [...items]
    : Array.from({ length: count }, (_, i) => items[Math.round((i * (items.length - 1)) / (count - 1))]!);

interface ChartTable {
  readonly titles: readonly string[];
  readonly rows: readonly (readonly (number | string)[])[];
}

function tableOf(chart: Chart): ChartTable {
  switch (chart.kind) {
    case "line":
      return {
        titles: ["curve", chart.x, chart.y],
        rows: chart.series.flatMap(({ name, x, y }) => x.map((at, i) => [name, at, y[i]!])),
      };
    case "bar":
      return {
        titles: [chart.y || "part", chart.x],
        rows: chart.bars.map(({ name, value }) => [name, value]),
      };
    case "histogram": {
      const width = (chart.high - chart.low) / chart.counts.length;
      return {
        titles: ["from", "to", "count"],
        rows: chart.counts.map((count, i) => [chart.low + i * width, chart.low + (i + 1) * width, count]),
      };
    }
    case "heatmap":
      return {
        titles: [`${chart.y} ↓ ${chart.x} →`, ...chart.columns],
        rows: chart.values.map((row, i) => [chart.rows[i]!, ...row]),
      };
    case "scatter":
      return { titles: [chart.x, chart.y], rows: chart.points };
  }
}
