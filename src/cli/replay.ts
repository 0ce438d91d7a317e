/** `netwright replay`: any step of a run again, exactly. */
import { write } from "#platform";
import { ArgumentError } from "../base/errors.ts";
import { type Replay, readConfig, replayStep } from "../config/index.ts";
import { sparkline } from "../report/index.ts";
import type { Command } from "./command.ts";
import { runPath } from "./runs.ts";
import { numberText, tableText } from "./text.ts";
import { changesOf } from "./train.ts";

export const replay: Command = {
  summary: "any step of a run again, exactly",
  usage: `netwright replay RUN --step N [--config CONFIG] [--json]

  RUN              a run's folder, or its name in the folder runs
  --step N         counted from 1
  --config CONFIG  what makes the run's data, model and options again; known where netwright train made the run
  --set KEY=VALUE  changes a value of that config; may be given several times
  --json           one JSON object instead of text

  The config that made the run is read again, the checkpoint before the step restored, and training goes on to the step. Its
  loss, norm of gradients and weights are compared with what was recorded. Exit code 0: equal, bit for bit; 1: not.

  netwright replay 2026-11-24-103012 --step 812
  netwright replay runs/by-hand --step 40 --config again.ts`,
  flags: {
    ...{ step: { type: "string" }, config: { type: "string" }, set: { type: "string", multiple: true } },
    json: { type: "boolean" },
  },
  async run({ values, positionals }) {
    const [run, extra] = positionals;
    if (run === undefined || extra !== undefined || typeof values["step"] !== "string")
      throw new ArgumentError("replay takes one run and a step: netwright replay RUN --step N");
    const { config, set } = values;
    if (set !== undefined && config === undefined)
      throw new ArgumentError(
        "replay: --set changes the config of --config; of a run that netwright train made it is known",
      );
    const file = typeof config === "string" ? await readConfig(config, changesOf(set)) : undefined;
    const found = await replayStep(runPath(run), Number(values["step"]), file);
    write("stdout", values["json"] === true ? `${JSON.stringify(found)}\n` : replayText(found));
    return found.isEqual ? 0 : 1;
  },
};

function replayText(found: Replay): string {
  const { step, epoch, from, parameters, learningRate, isEqual } = found;
  const start = from === 0 ? "the first weights" : `the checkpoint of step ${from}`;
  const verdict = isEqual
    ? "Equal to the record, bit for bit."
    : "Not equal to the record: netwright diff of this run and a new one of the same config shows where they part.";
  const rows = [
    ["loss", String(found.loss), String(found.recordedLoss ?? "–")],
    ["norm of gradients", String(found.gradientNorm ?? "–"), String(found.recordedGradientNorm ?? "–")],
    ["weights after", found.weights.slice(0, 16), found.recordedWeights?.slice(0, 16) ?? "–"],
    ["learning rate", String(learningRate), ""],
  ];
  const layers = parameters.map(({ name, gradient, weights }) => [
    name,
    ...[gradient.norm, gradient.mean, gradient.deviation].map(numberText),
    sparkline(gradient.counts, { width: 16 }),
    ...[weights.norm, weights.deviation].map(numberText),
    String(gradient.notFinite + weights.notFinite),
  ]);
  const titles = [
    "parameter",
    "|gradient|",
    "mean",
    "deviation",
    "distribution",
    "|weights|",
    "deviation",
    "not finite",
  ];
  return `step ${step} (epoch ${epoch}), from ${start}\n\n${tableText(["", "replayed", "recorded"], rows)}\n${tableText(titles, layers)}\n${verdict}\n`;
}
