import { expect, test } from "vitest";
import {
  barChart,
  type Chart,
  confusionChart,
  drawChart,
  heatmapChart,
  histogramChart,
  lineChart,
  renderPng,
  renderSvg,
  scatterChart,
} from "./index.ts";

const falling = Array.from({ length: 20 }, (_, i) => 2 ** (-i / 3));
const steps = falling.map((_, i) => i + 1);
const charts: readonly Chart[] = [
  lineChart({
    ...{ title: "Loss <&>", x: "epoch", y: "loss", logY: true },
    series: [
      { name: "training", x: steps, y: falling },
      { name: "validation", x: steps, y: falling.map((y) => y + 0.1), style: "dashed" },
    ],
  }),
  barChart({
    title: "Time",
    x: "ms",
    y: "",
    bars: [
      { name: "data", value: 2 },
      { name: "compute", value: 7.25 },
    ],
  }),
  histogramChart({ title: "Weights", x: "value", y: "count", low: -1, high: 1, counts: [1, 4, 9, 3, 0, 2] }),
  confusionChart({
    ...{ title: "Confusion", names: ["cat", "dog"] },
    counts: [
      [9, 1],
      [3, 12],
    ],
  }),
  scatterChart({
    title: "Answers",
    x: "actual",
    y: "predicted",
    points: [
      [0, 0.1],
      [1, 0.8],
      [2, 2.2],
    ],
    diagonal: true,
  }),
];

test.each(charts.map((chart) => [chart.kind, chart] as const))(
  "%s as SVG: its words, and a theme's colours alone",
  async (_, chart) => {
    const svg = await renderSvg(chart, { theme: "page" });
    expect(svg.startsWith('<svg role="img" aria-label="')).toBe(true);
    if (chart.x !== "") expect(svg).toContain(`>${chart.x}</text>`);
    // Names of colours, no colours: the page decides.
    const colors = [...svg.matchAll(/(?:fill|stroke)="([^"]*)"/g)].map((match) => match[1]!);
    expect(colors.filter((color) => !/^(none|transparent|var\(--[\w-]+\))$/.test(color))).toEqual([]);
    expect(colors).toContain("var(--series-0)");
    const dark = await renderSvg(chart, { theme: "dark" });
    expect(dark).toContain("#7aa2ff");
  },
);

test("a title is text, whatever it holds", async () => {
  expect(await renderSvg(charts[0]!)).toContain('aria-label="Loss &lt;&amp;&gt;"');
});

test("long names in a legend are not cut", async () => {
  const names = ["trained on images as they are", "trained on images that are varied a little"];
  const series = names.map((name) => ({ name, x: [1, 2], y: [1, 2] }));
  const svg = await renderSvg(lineChart({ title: "Two", x: "x", y: "y", series }));
  for (const name of names) expect(svg).toContain(`>${name}<`);
});

test("as PNG", async () => {
  const png = await renderPng(charts[1]!, { width: 200, scale: 1 });
  expect([...png.subarray(0, 4)]).toEqual([0x89, 0x50, 0x4e, 0x47]);
  const [width] = [new DataView(png.buffer, png.byteOffset).getUint32(16)];
  expect(width).toBe(200);
});

test("curves in a terminal", () => {
  expect(drawChart(charts[0]!, { columns: 40, rows: 6 }).join("\n")).toMatchInlineSnapshot(`
    "Loss <&> (loss, logarithmic)
       1.1 ┤⠙⠲⢦⣤⣄⣀
           ┤    ⠈⠉⠛⠳⠶⣢⠤⣀⣀⣀⡀
           ┤          ⠉⠒⠢⠤⢌⣉⠒⠒⠒⠤⠤⠤⢄⣀⣀⣀⣀⣀⣀
           ┤                ⠉⠒⠤⣀⣀        ⠉⠉⠉
           ┤                     ⠉⠑⠒⠤⠤⣀
    0.0124 ┤                           ⠉⠒⠤⠤⣀
            1            epoch            20
            training, validation"
  `);
});

test("bars, histograms, pairs and points in a terminal", () => {
  const drawn = charts.slice(1).map((chart) => drawChart(chart, { columns: 40, rows: 5 }).join("\n"));
  expect(drawn.join("\n\n")).toMatchInlineSnapshot(`
    "Time (ms)
    data     ██████▋ 2
    compute  ████████████████████████ 7.25

    Weights (value)
                ██████
                ██████
          ▂▂▂▂▂▂██████
          ████████████▅▅▅▅▅▅      ▁▁▁▁▁▁
    ▄▄▄▄▄▄██████████████████      ██████
    -1                                 1

    Confusion (rows: actual, columns: predicted)
         cat  dog
    cat    9    1
    dog    3   12

    Answers (predicted)
    2.2 ┤                                  ⠈
        ┤
        ┤
        ┤                 ⠐
    0.1 ┤⡀
         0             actual              2"
  `);
});

test("in colour every line ends without it; without data there is a frame", () => {
  for (const chart of charts) {
    const lines = drawChart(chart, { columns: 40, rows: 5, color: true });
    expect(lines.some((line) => line.includes("\x1b["))).toBe(true);
    for (const line of lines)
      if (line.includes("\x1b[")) expect(line.lastIndexOf("\x1b[0m")).toBe(line.lastIndexOf("\x1b["));
  }
  const empty = lineChart({
    title: "Nothing",
    x: "step",
    y: "",
    series: [{ name: "a", x: [1], y: [Number.NaN] }],
  });
  expect(drawChart(empty, { columns: 20, rows: 3 })).toHaveLength(5);
});

test("a constant has room around it, faint curves are left out", () => {
  const rate = { name: "rate", x: [1, 2], y: [0.01, 0.01] };
  const faint = { name: "by step", x: [1, 2], y: [5, 9], style: "faint" as const };
  const lines = drawChart(lineChart({ title: "Rate", x: "step", y: "", series: [rate, faint] }), {
    columns: 30,
    rows: 3,
  });
  expect(lines[1]).toMatch(/^0.015 ┤/);
  expect(lines[3]).toMatch(/^0.005 ┤/);
  expect(lines.join()).not.toContain("by step");
});

test("sizes that do not fit are refused", () => {
  expect(() =>
    lineChart({ title: "", x: "", y: "", series: [{ name: "a", x: [1], y: [] }] }),
  ).toThrowErrorMatchingInlineSnapshot(`[ShapeError: lineChart: series "a" has 1 x and 0 y; give as many]`);
  expect(() =>
    heatmapChart({ title: "", x: "", y: "", rows: ["a"], columns: ["b", "c"], values: [[1]] }),
  ).toThrowErrorMatchingInlineSnapshot(
    `[ShapeError: heatmapChart: give 1 rows of 2 values, one for each name]`,
  );
});

test("a confusion matrix without what is right", () => {
  const chart = confusionChart({
    ...{ names: ["a", "b"], mistakesOnly: true },
    counts: [
      [9, 1],
      [3, 12],
    ],
  });
  expect(chart.values).toEqual([
    [0, 1],
    [3, 0],
  ]);
  expect([chart.x, chart.y, chart.rowShares]).toEqual(["predicted", "actual", undefined]);
  expect(() => confusionChart({ names: ["a"], counts: [[1, 2]] })).toThrow("give 1 rows of 1 values");
});

test("a curve goes through its points in their order, back as well", async () => {
  const loop = { name: "loop", x: [0, 2, 1, 0], y: [0, 1, 2, 0] };
  const svg = await renderSvg(lineChart({ title: "", x: "", y: "", series: [loop] }), { theme: "page" });
  const path =
    /aria-roledescription="line mark"[^>]*? d="([^"]+)"/.exec(svg) ??
    / d="(M[^"]+)"[^>]*stroke-width="2"/.exec(svg);
  const across = [...path![1]!.matchAll(/[ML](-?[\d.]+),/g)].map(([, x]) => Number(x));
  expect(across.length).toBe(4);
  expect(across[1]).toBeGreaterThan(across[2]!);
  expect(across[2]).toBeGreaterThan(across[3]!);
});

test("numbers stand beside the ends of bars, negative ones to the left", async () => {
  const bars = [
    { name: "up", value: 3.25 },
    { name: "down", value: -4.75 },
  ];
  const svg = await renderSvg(barChart({ title: "", x: "", y: "", bars }), { theme: "page" });
  const anchorOf = (text: string) => new RegExp(`text-anchor="(\\w+)"[^>]*>${text}<`).exec(svg)?.[1];
  expect(anchorOf("3.25")).toBe("start");
  expect(anchorOf("-4.75")).toBe("end");
});

test("years have no comma, and a diagonal goes as far as the data", async () => {
  const growth = { name: "growth", x: [2010, 2015, 2020], y: [2010, 2012, 2016] };
  const svg = await renderSvg(lineChart({ title: "", x: "", y: "", series: [growth], diagonal: true }), {
    theme: "page",
  });
  expect(svg).toContain(">2010<");
  expect(svg).not.toContain(">2,0");
  expect(svg).not.toContain(">0<");
});

test("of many numbered columns the round ones are named", async () => {
  const columns = Array.from({ length: 48 }, (_, i) => String(i + 1));
  const values = [columns.map((_, i) => i)];
  const svg = await renderSvg(heatmapChart({ title: "", x: "step", y: "", rows: ["a"], columns, values }));
  const written = [...svg.matchAll(/<text[^>]*>(\d+)<\/text>/g)].map(([, text]) => Number(text));
  expect(written).toEqual([5, 10, 15, 20, 25, 30, 35, 40, 45]);
});

test("points at the edges are whole, and lines that leave the limits are cut off", async () => {
  const series = [{ name: "a", x: [1, 2, 3], y: [0, 1, 0.5] }];
  const words = { title: "", x: "", y: "", series, points: true };
  expect(await renderSvg(lineChart({ ...words, yLimits: [0, 1] }))).not.toContain("clip-path");
  expect(await renderSvg(lineChart({ ...words, yLimits: [0, 0.8] }))).toContain("clip-path");
});

test("each tick of an axis of large numbers is named", async () => {
  const x = Array.from({ length: 15 }, (_, i) => 10_000 * (i + 1));
  const svg = await renderSvg(
    lineChart({ title: "", x: "", y: "", series: [{ name: "a", x, y: x.map(Math.log) }] }),
    { width: 520 },
  );
  for (const text of ["20k", "100k", "140k"]) expect(svg).toContain(`>${text}</text>`);
});

test("the legend shows a faint series as it is drawn", async () => {
  const [x, y] = [
    [1, 2],
    [3, 4],
  ] as const;
  const series = [
    { name: "was", x, y, style: "faint" } as const,
    { name: "said", x, y },
    { name: "plan", x, y },
  ];
  const svg = await renderSvg(lineChart({ title: "", x: "", y: "", series }));
  const symbols = [...svg.matchAll(/stroke-width="3"[^>]* opacity="([^"]+)"/g)].map(([, opacity]) => opacity);
  expect(symbols).toEqual(["0.55", "1", "1"]);
});
