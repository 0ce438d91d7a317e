/** Trials in processes of their own: a crash, or memory that ran out, costs one trial. */
import { moduleUrl, spawnProcess } from "#platform";
import { ArgumentError } from "../base/errors.ts";
import type { ProcessHandle } from "../platform/platform.ts";
import type { Parameters } from "./space.ts";
import { type LocalTrial, TrialPruned, valueOrReason } from "./trial.ts";

/** A module that exports the objective, so that another process can run it. */
export interface ObjectiveModule {
  /** A path or file URL. */
  readonly module: string | URL;
  /** The name of the export; `objective` unless told otherwise. */
  readonly name?: string;
}

/** The child's side: it imports the module and runs the trials that it is sent, one at a time. */
const source = `
class TrialPruned extends Error { name = "TrialPruned"; }
let verdict;
const trialOf = (number, known) => ({
  number,
  suggest(name) {
    throw new Error('a trial in a process of its own takes its parameters from the study\\'s space; declare "' + name + '" there');
  },
  async report(step, value) {
    const reason = await new Promise((resolve) => {
      verdict = resolve;
      postMessage({ kind: "report", step, value });
    });
    if (reason !== undefined) throw new TrialPruned(reason);
  },
  note(name, text) { postMessage({ kind: "note", name, text }); },
});
const load = async () => {
  const module = await import(data.module);
  const objective = module[data.name] ?? module.default?.[data.name];
  if (typeof objective !== "function") {
    const names = Object.keys(module.default ?? {}).concat(Object.keys(module)).filter((name) => name !== "default");
    throw new Error(data.module + " exports no function " + JSON.stringify(data.name) + "; it exports " + (names.join(", ") || "nothing"));
  }
  return objective;
};
onMessage(async (message) => {
  if (message.kind === "verdict") return verdict(message.reason);
  let objective;
  try {
    objective = await load();
  } catch (error) {
    return postMessage({ kind: "unusable", text: String(error?.message ?? error) });
  }
  try {
    postMessage({ kind: "value", value: await objective(message.parameters, trialOf(message.number)) });
  } catch (error) {
    if (error?.name !== "TrialPruned") console.error(error);
    postMessage({ kind: "error", pruned: error?.name === "TrialPruned", text: String(error?.message ?? error) });
  }
});
postMessage({ kind: "ready" });
`;

type Answer =
  | { readonly kind: "ready" }
  | { readonly kind: "report"; readonly step: number; readonly value: number }
  | { readonly kind: "note"; readonly name: string; readonly text: string }
  | { readonly kind: "value"; readonly value: unknown }
  | { readonly kind: "unusable"; readonly text: string }
  | { readonly kind: "error"; readonly pruned: boolean; readonly text: string };

/** Processes that wait for trials; one that died is replaced by the next trial. */
export class ProcessPool {
  readonly #data: { readonly module: string; readonly name: string };
  readonly #idle: ProcessHandle[] = [];
  readonly #all = new Set<ProcessHandle>();
  /** What is told when a process answers. */
  readonly #listeners = new Map<ProcessHandle, (answer: Answer) => void>();

  constructor({ module, name = "objective" }: ObjectiveModule) {
    this.#data = { module: moduleUrl(String(module)), name };
  }

  #start(): ProcessHandle {
    const child = spawnProcess(source, this.#data);
    this.#all.add(child);
    child.onMessage((answer: Answer) => this.#listeners.get(child)?.(answer));
    void child.gone.then(() => {
      this.#all.delete(child);
      const at = this.#idle.indexOf(child);
      if (at >= 0) this.#idle.splice(at, 1);
    });
    return child;
  }

  /** Runs a trial in a free process, or a new one: its value, or why there is none. */
  async run(parameters: Parameters, trial: LocalTrial): Promise<number | string> {
    const child = this.#idle.pop() ?? this.#start();
    const ended = new Promise<number | string>((resolve, reject) => {
      this.#listeners.set(child, (answer) => {
        if (answer.kind === "unusable")
          reject(new ArgumentError(`optimize: the objective cannot be loaded: ${answer.text}`));
        const outcome = this.#answered(child, answer, trial);
        if (outcome === undefined) return;
        this.#idle.push(child);
        resolve(outcome);
      });
    });
    child.postMessage({ kind: "trial", number: trial.number, parameters });
    const lost = child.gone.then((how) => `its process ${how}`);
    const outcome = await Promise.race([ended, lost]);
    this.#listeners.delete(child);
    return outcome;
  }

  #answered(child: ProcessHandle, answer: Answer, trial: LocalTrial): number | string | undefined {
    if (answer.kind === "note") trial.note(answer.name, answer.text);
    else if (answer.kind === "report") {
      trial.report(answer.step, answer.value).then(
        () => child.postMessage({ kind: "verdict", reason: undefined }),
        (error) => {
          if (error instanceof TrialPruned) child.postMessage({ kind: "verdict", reason: error.message });
          else child.kill();
        },
      );
    } else if (answer.kind === "value") {
      return valueOrReason(answer.value);
    } else if (answer.kind === "error") {
      if (answer.pruned) trial.pruned ??= answer.text;
      return answer.text;
    }
    return undefined;
  }

  close(): void {
    for (const child of this.#all) child.kill();
  }
}
