/** Fresh processes, in turn: from starting one to the line of JSON that says what it did. */
import { spawn } from "node:child_process";
import type { Command } from "./child.ts";
import type { Contender } from "./contenders.ts";
import type { Skipped } from "./measure.ts";

export interface FreshRun<Answer> {
  /** From the start to the line. */
  readonly milliseconds: number;
  readonly answer: Answer;
}

/** Runs everyone that has a command `rounds` times in turn, after one run each that only fills the file cache. */
export async function runFresh<Answer>(
  contenders: readonly Contender[],
  commandOf: (contender: Contender) => Command | null | undefined,
  rounds: number,
): Promise<{ runs: ReadonlyMap<Contender, readonly FreshRun<Answer>[]>; skipped: readonly Skipped[] }> {
  const skipped: Skipped[] = [];
  const taking = contenders.filter((contender) => !contender.missing() && commandOf(contender));
  const runs = new Map<Contender, FreshRun<Answer>[]>(taking.map((contender) => [contender, []]));
  for (let round = 0; round <= rounds; round++) {
    for (const [contender, samples] of runs) {
      try {
        const run = await runOnce<Answer>(commandOf(contender)!);
        if (round > 0) samples.push(run);
      } catch (error) {
        skipped.push({ lane: contender.title, reason: (error as Error).message, failed: true });
        runs.delete(contender);
      }
    }
  }
  return { runs, skipped };
}

function runOnce<Answer>({ file, args, environment }: Command): Promise<FreshRun<Answer>> {
  return new Promise((resolve, reject) => {
    const begin = performance.now();
    const child = spawn(file, args, { env: { ...process.env, OMP_NUM_THREADS: "1", ...environment } });
    let run: FreshRun<Answer> | undefined;
    let output = "";
    let errors = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      const milliseconds = performance.now() - begin;
      output += text;
      const line = /^(\{.*\})$/m.exec(output);
      if (line && !run) run = { milliseconds, answer: JSON.parse(line[1]) as Answer };
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      errors = (errors + text).slice(-2000);
    });
    child.on("error", reject);
    child.on("close", (code) => {
      if (run && code === 0) resolve(run);
      else reject(new Error(`ended with code ${code} before it answered\n${errors}`));
    });
  });
}
