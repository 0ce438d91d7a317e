/** A contender's side of the protocol, for everything that runs in Node. */
import { createInterface } from "node:readline";
import type { Hello, Prepared, Reply, Request, Work } from "./protocol.ts";

/** Prepared work: `run` does it so often and returns (or resolves) when the results are ready. */
export interface Job {
  readonly check: readonly number[];
  readonly flop?: number;
  run(iterations: number): void | Promise<void>;
  release(): void;
}

/** Builds a job; a string is the reason why this contender does not do such work. */
export type Prepare = (work: Work) => Job | string | Promise<Job | string>;

/** Answers requests until standard input ends. */
export async function serve(hello: Hello, prepare: Prepare): Promise<void> {
  console.log = console.info = console.warn = console.error;
  let job: Job | undefined;
  const answer = async (request: Request): Promise<Reply> => {
    switch (request.command) {
      case "hello":
        return hello;
      case "prepare": {
        const made = await prepare(request.work);
        if (typeof made === "string") return { unsupported: made, check: [] } satisfies Prepared;
        job = made;
        return { check: made.check, flop: made.flop } satisfies Prepared;
      }
      case "run": {
        if (!job) throw new Error("run before prepare");
        const start = performance.now();
        await job.run(request.iterations);
        return { seconds: (performance.now() - start) / 1000 };
      }
      case "release":
        job?.release();
        job = undefined;
        return {};
    }
  };
  for await (const line of createInterface({ input: process.stdin })) {
    const reply = await answer(JSON.parse(line) as Request).catch((error: Error) => ({
      error: String(error.stack),
    }));
    process.stdout.write(`${JSON.stringify(reply)}\n`);
  }
}

/** The value after `--name` on the command line, as a number. */
export function numberArgument(name: string, otherwise: number): number {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? otherwise : Number(process.argv[at + 1]);
}
