/** The lines that stand above a training: what runs where, on what data, and what was found. */
import { bytesText, type RunReport } from "./run-report.ts";

/** Three lines, and one more for each finding that is worth a look. */
export function headerText(report: RunReport): string {
  const { findings } = report;
  const good = findings
    .filter(({ isOk, about }) => isOk && about !== "gradients")
    .map(({ text }) => `${text} ✓`);
  const lines = [
    whereText(report),
    modelText(report),
    [dataText(report), good.join("  ")].join("   ").trimEnd(),
  ];
  return [...lines, ...findings.filter(({ isOk }) => !isOk).map(({ text }) => warningText(text)), ""].join(
    "\n",
  );
}

export const warningText = (text: string): string => `⚠ ${text}`;

function whereText(report: RunReport): string {
  const { seed, target, arithmetic, threads, precision, kernels, compileSeconds } = report;
  const machine = arithmetic.includes(target) ? arithmetic : `${target} ${arithmetic}`;
  return [
    ...[
      `seed ${seed}`,
      `${machine}, ${threads} ${threads === 1 ? "thread" : "threads"}`,
      precision,
      "deterministic",
    ],
    `${kernels} kernels in ${compileSeconds.toFixed(1)} s`,
  ].join(" · ");
}

function modelText(report: RunReport): string {
  const { model, parameters, trainableParameters, parameterBytes, plannedMemoryBytes, flopPerSample } =
    report;
  const frozen = parameters - trainableParameters;
  return [
    `model  ${model}`,
    `${number(parameters)} params (${bytesText(parameterBytes)}${frozen > 0 ? `, ${number(frozen)} frozen` : ""})`,
    `peak memory ${bytesText(plannedMemoryBytes)} (planned)`,
    `${scaled(flopPerSample)}FLOP/sample`,
  ].join("   ");
}

function dataText({ trainingSamples, validationSamples }: RunReport): string {
  const validation = validationSamples === 0 ? "" : ` / ${number(validationSamples)} validation`;
  return `data   ${number(trainingSamples)} train${validation}`;
}

const number = (value: number): string => value.toLocaleString("en-US");

function scaled(value: number): string {
  const unit = Math.min(4, Math.max(0, Math.floor(Math.log10(Math.max(value, 1)) / 3)));
  return `${Number((value / 1000 ** unit).toPrecision(2))} ${["", "k", "M", "G", "T"][unit]}`;
}
