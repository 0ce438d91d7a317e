/** `netwright train`: trains what a config says. */
import { programArguments, write } from "#platform";
import { ArgumentError } from "../base/errors.ts";
import { readConfig, trainConfig } from "../config/index.ts";
import { compareRuns, readRun } from "../runs/index.ts";
import type { Command } from "./command.ts";
import { durationText, numberText } from "./text.ts";

export const train: Command = {
  summary: "trains what a config says, and records the run",
  usage: `netwright train CONFIG [--set KEY=VALUE]… [--name NAME] [--resume] [--json]

  CONFIG           a .ts, .js, .json or .yaml file with data, model and fit
  --set KEY=VALUE  changes a value of the config; may be given several times
  --name NAME      of the run's folder (default: the time)
  --resume         goes on with the run of this name, as if it had never stopped
  --json           a JSON object a line: an epoch each, then the run

  Ctrl-C ends the step, saves the state and says how to go on; the exit code is 130.

  The run's folder holds model.safetensors beside the record: see runs, report, replay, eval, predict.

  netwright train mnist.json
  netwright train config.ts --set fit.epochs=20 --set seed=3
  netwright train config.ts --name long --resume`,
  flags: {
    set: { type: "string", multiple: true },
    ...{ name: { type: "string" }, resume: { type: "boolean" }, json: { type: "boolean" } },
  },
  async run({ values, positionals }) {
    const [path, extra] = positionals;
    if (path === undefined || extra !== undefined)
      throw new ArgumentError(`train takes one config, got ${positionals.length}`);
    const isJson = values["json"] === true;
    const changes = changesOf(values["set"]);
    const file = await readConfig(path, changes);
    const trained = await trainConfig(file, {
      ...(typeof values["name"] === "string" ? { name: values["name"] } : {}),
      ...(isJson ? { progress: "json" as const } : {}),
      ...{ resume: values["resume"] === true, arguments: programArguments() },
    });
    const [row] = compareRuns([await readRun(trained.path)]);
    if (isJson) write("stdout", `${JSON.stringify({ run: row })}\n`);
    else write("stdout", `${summary(row!.best)}${durationText(row!.seconds)} · ${trained.path}\n`);
    if (!trained.history.stopReason?.startsWith("interrupted")) return 0;
    const again = [path, ...changes.flatMap((change) => ["--set", change]), "--name", row!.name, "--resume"];
    write("stderr", `go on with: netwright train ${again.map(quoted).join(" ")}\n`);
    return interruptedCode;
  },
};

/** As shells have it of a program that Ctrl-C ended. */
const interruptedCode = 130;

/** For a shell: within quotes unless it is plain. */
const quoted = (word: string): string =>
  /^[\w./=,:@%+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;

export const changesOf = (given: unknown): string[] => (Array.isArray(given) ? given.map(String) : []);

const summary = (best: Readonly<Record<string, number>>): string =>
  Object.entries(best)
    .map(([name, value]) => `best ${name} ${numberText(value)} · `)
    .join("");
