/** The machine as a contender: the multiply-add loop on so many threads at once, beside every product. */
import { Worker } from "node:worker_threads";
import { type Job, numberArgument, serve } from "../serve.ts";
import { bestIsa, type LoopIsa, multiplyAddLoop, whyNot } from "./native.ts";

const threads = numberArgument("threads", 1);
const passes = 1_000_000;

function loops(isa: LoopIsa): Job | string {
  const reason = whyNot(isa);
  if (reason !== undefined) return reason;
  const own = multiplyAddLoop(isa);
  const script = new URL("native-worker.js", import.meta.url);
  const others = Array.from({ length: threads - 1 }, () => new Worker(script, { workerData: isa }));
  const ended = (worker: Worker): Promise<void> =>
    new Promise((resolve) => worker.once("message", () => resolve()));
  return {
    check: [],
    flop: own.flop * passes * threads,
    async run(iterations) {
      const all = others.map(ended);
      for (const worker of others) worker.postMessage(iterations * passes);
      own.run(iterations * passes);
      await Promise.all(all);
    },
    release: () => void others.map((worker) => worker.terminate()),
  };
}

await serve({ framework: "multiply-add loop", version: "", threads }, (work) => {
  const best = bestIsa();
  if (work.kind === "peak") return work.isa === "wasm" ? "this one is machine code" : loops(work.isa);
  const isProduct = work.kind === "matmul" || work.kind === "matmul-bytes";
  if (isProduct && work.rows > 1 && best !== undefined) return loops(best);
  return "the machine's loop has no such work";
});
