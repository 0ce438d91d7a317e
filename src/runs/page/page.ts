/** The page of a run: one file that needs nothing else, and asks for nothing. */
import { sha256, writeFileAtomic } from "#platform";
import { isLowerBetter } from "../../train/index.ts";
import { toBase64 } from "../base64.ts";
import { compareRuns } from "../compare.ts";
import { type RunRecord, readEvaluation, readHistograms, readRun } from "../read.ts";
import { answersSection } from "./answers.ts";
import { learningCurves, stepCharts, timeCharts } from "./curves.ts";
import { factsSection } from "./facts.ts";
import { figure } from "./figure.ts";
import { durationText, numberText, percentText, scoreText, wordsOf } from "./format.ts";
import { Html, html } from "./html.ts";
import { mistakesSection } from "./mistakes.ts";
import { style } from "./style.ts";
import { weightsSection } from "./weights.ts";

/** Goes through system's, light and dark; what was chosen holds while the page is open. */
const script = `
const root = document.documentElement, button = document.getElementById("theme");
const themes = ["auto", "light", "dark"];
let chosen = 0;
const show = () => {
  if (chosen === 0) root.removeAttribute("data-theme"); else root.dataset.theme = themes[chosen];
  button.textContent = "Theme: " + themes[chosen];
};
button.hidden = false;
button.addEventListener("click", () => { chosen = (chosen + 1) % themes.length; show(); });
show();
`;

/** Nothing is loaded from anywhere; the one script is the one above. */
const policyOf = (hash: string): string =>
  `default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-${hash}'; base-uri 'none'; form-action 'none'`;

/**
 * A run as one HTML page: learning curves, answers on the validation data, the worst mistakes with their inputs, weights and
 * gradients, times, and how it was made. It needs the packages `vega` and `vega-lite`.
 *
 * The page holds everything itself and asks for nothing; it is light or dark as its reader's system is, or as they choose.
 *
 * @throws FileError when there is no such run; PlatformError saying what to install, where Vega is missing
 * @example
 * const run = recordRun({ name: "shown" });
 * for (let step = 1; step <= 5; step++) run.log({ loss: 1 / step }, step);
 * await run.close();
 * (await reportPage("runs/shown")).startsWith("<!doctype html>"); // true
 */
export async function reportPage(path: string): Promise<string> {
  const run = await readRun(path);
  const [evaluation, histograms] = await Promise.all([readEvaluation(path), readHistograms(path)]);
  const sections = {
    curves: await curvesSection(run),
    answers: evaluation && (await answersSection(evaluation)),
    mistakes: evaluation && mistakesSection(evaluation),
    weights: await weightsSection(histograms),
    time: await timeSection(run),
    facts: factsSection(run),
  };
  const there = Object.entries(sections).filter(([, section]) => section !== undefined);
  const links = there.map(([id]) => html`<a href="#${id}">${titles[id as keyof typeof titles]}</a>`);
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policyOf(scriptHash())}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${run.config.name} · Netwright</title>
<style>${new Html(style)}</style>
</head>
<body>
${header(run)}
<nav aria-label="Sections"><div>${links}</div></nav>
<main>${there.map(([, section]) => section)}</main>
<footer>Made by Netwright from ${run.path}.</footer>
<script>${new Html(script)}</script>
</body>
</html>
`;
  return page.markup;
}

/**
 * `reportPage`, written to a file.
 *
 * @example
 * const run = recordRun({ name: "written" });
 * run.log({ loss: 1 }, 1);
 * await run.close();
 * await writeReport("runs/written", "report.html");
 */
export async function writeReport(run: string, path: string): Promise<void> {
  await writeFileAtomic(path, new TextEncoder().encode(await reportPage(run)));
}

const titles = {
  ...{ curves: "Learning", answers: "Answers", mistakes: "Mistakes" },
  ...{ weights: "Weights", time: "Time", facts: "Facts" },
} as const;

function scriptHash(): string {
  const hex = sha256().update(new TextEncoder().encode(script)).hex();
  return toBase64(Uint8Array.from(hex.match(/../g)!, (pair) => Number.parseInt(pair, 16)));
}

function header(run: RunRecord): Html {
  const { config, environment, result } = run;
  const [row] = compareRuns([run]);
  const status = row!.status;
  const bests = Object.entries(row!.best).map(([name, value]) => {
    const at = run.epochs.find(({ scores }) => scores[name] === value)?.epoch;
    return tile(
      `${isLowerBetter(name) ? "lowest" : "highest"} ${wordsOf(name)}`,
      scoreText(name, value),
      at && `epoch ${at}`,
    );
  });
  const counts = [
    tile("time", durationText(row!.seconds), run.epochs.length > 0 && `${run.epochs.length} epochs`),
    tile("steps", numberText(row!.steps)),
    config.model && tile("parameters", numberText(config.model.parameters)),
  ];
  const where = environment && ` · ${environment.target}, ${environment.threads} threads`;
  return html`<header><div><button id="theme" type="button" hidden>Theme: auto</button><h1>${config.name}<span class="status ${status}">${status}</span></h1>
<p>${config.startedAt.slice(0, 16).replace("T", " ")} UTC${where}</p>${result?.reason && html`<p>${result.reason}</p>`}
<div class="tiles">${bests}${counts}</div></div></header>`;
}

const tile = (name: string, value: string, note?: string | number | false): Html =>
  html`<div class="tile"><span>${name}</span><b>${value}</b> ${note && html`<small>${note}</small>`}</div>`;

async function curvesSection(run: RunRecord): Promise<Html | undefined> {
  const charts = [...learningCurves(run), ...stepCharts(run)];
  if (charts.length === 0) return undefined;
  const figures = await Promise.all(charts.map((chart) => figure(chart)));
  return html`<section id="curves"><h2>Learning curves</h2><p class="lead">${run.epochs.length > 0 ? "Scores after each epoch." : "Values of each step."}</p><div class="grid">${figures}</div></section>`;
}

async function timeSection(run: RunRecord): Promise<Html | undefined> {
  const found = timeCharts(run);
  if (found === undefined) return undefined;
  const { parts, firstMs, breakdown, overTime } = found;
  const whole = Object.values(parts).reduce((sum, ms) => sum + ms, 0);
  const figures = await Promise.all([
    figure(breakdown),
    figure(overTime, { note: "Without the first; equal ratios have equal distances." }),
  ]);
  return html`<section id="time"><h2>Where the time goes</h2>
<p class="lead">A step takes ${numberText(whole)} ms; ${percentText(parts["waiting for data"] / whole)} of it waits for data. The first, which compiles, took ${numberText(firstMs)} ms.</p><div class="grid">${figures}</div></section>`;
}
