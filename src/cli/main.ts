/** `netwright COMMAND`: finds the command, reads its flags, runs it. */
import { parseFlags, write } from "#platform";
import { ArgumentError, NetwrightError, nearestName } from "../base/errors.ts";
import { chat } from "./chat.ts";
import type { Command } from "./command.ts";
import { completionOf } from "./completion.ts";
import { convert } from "./convert.ts";
import { diff } from "./diff.ts";
import { doctor } from "./doctor.ts";
import { evaluateRun } from "./eval.ts";
import { finetuneModel } from "./finetune.ts";
import { generateText } from "./generate.ts";
import { inspect } from "./inspect.ts";
import { newProject } from "./new.ts";
import { predictRun } from "./predict.ts";
import { pullModel } from "./pull.ts";
import { replay } from "./replay.ts";
import { report } from "./report.ts";
import { runs } from "./runs.ts";
import { serveModel } from "./serve.ts";
import { train } from "./train.ts";
import { tune } from "./tune.ts";
import { tuneKernels } from "./tune-kernels.ts";

/** Adding a command is one row. */
const commands: Readonly<Record<string, Command>> = {
  new: newProject,
  ...{ train, eval: evaluateRun, predict: predictRun, tune },
  ...{ pull: pullModel, finetune: finetuneModel, generate: generateText, chat, serve: serveModel },
  ...{ runs, diff, replay, report, inspect, convert, doctor },
  "tune-kernels": tuneKernels,
  completion: completionOf(() => commands),
};

/** Exit codes: 0 done, 1 it did not work, 2 it was asked for wrongly. */
export async function main(args: readonly string[]): Promise<number> {
  const [name, ...rest] = args;
  if (name === undefined || name === "help" || name === "--help" || name === "-h") {
    write("stdout", overview());
    return 0;
  }
  try {
    return await run(commandNamed(name), rest);
  } catch (error) {
    if (!(error instanceof NetwrightError)) throw error;
    write("stderr", `netwright: ${error.message}\n`);
    return error instanceof ArgumentError ? 2 : 1;
  }
}

function run(command: Command, args: readonly string[]): number | Promise<number> {
  const flags = parseFlags(args, { ...command.flags, help: { type: "boolean", short: "h" } });
  if (flags.values["help"] !== true) return command.run(flags);
  write("stdout", `${command.summary}\n\n${command.usage}\n`);
  return 0;
}

function commandNamed(name: string): Command {
  if (Object.hasOwn(commands, name)) return commands[name]!;
  const nearest = nearestName(name, Object.keys(commands));
  const hint = nearest === undefined ? "" : `; did you mean "${nearest}"?`;
  throw new ArgumentError(`"${name}" is no command; commands are ${Object.keys(commands).join(", ")}${hint}`);
}

function overview(): string {
  const width = Math.max(...Object.keys(commands).map((name) => name.length));
  const rows = Object.entries(commands).map(([name, { summary }]) => `  ${name.padEnd(width)}  ${summary}`);
  return `netwright COMMAND [FLAGS]\n\n${rows.join("\n")}\n\nnetwright COMMAND --help shows its flags.\n`;
}
