/** A fresh process that traces and compiles a training step, then those of further models, and states the times. */
import { compile, device, type Tensor } from "netwright";
import type { CompileTimes } from "../compile.ts";
import type { WorkOf } from "../protocol.ts";
import { summarize } from "../statistics.ts";
import { batchesOf, trainingStep } from "./gpt.ts";

const laterModels = 5;

const work = JSON.parse(process.argv[2]) as WorkOf<"gpt">;
const [tokens, targets] = batchesOf(work)(0);
// The processor is examined and the target chosen before: that is part of the start, not of compiling.
device();

function compileStep() {
  const step = trainingStep(work);
  let traceMs = 0;
  const train = compile((x: Tensor, y: Tensor) => {
    const begin = performance.now();
    const loss = step(x, y);
    traceMs = performance.now() - begin;
    return loss;
  });
  const begin = performance.now();
  const { kernels } = train.describe(tokens, targets);
  return { train, kernels: kernels.length, traceMs, compileMs: performance.now() - begin - traceMs };
}

const first = compileStep();
const later = Array.from({ length: laterModels }, compileStep);
const times: CompileTimes = {
  // Each node is a line of the printed graph: "%12 = add …".
  nodes: first.train.trace(tokens, targets).match(/^ *%/gm)!.length,
  kernels: first.kernels,
  traceMs: first.traceMs,
  compileMs: first.compileMs,
  laterTraceMs: summarize(later.map(({ traceMs }) => traceMs)).median,
  laterCompileMs: summarize(later.map(({ compileMs }) => compileMs)).median,
};
process.stdout.write(`${JSON.stringify(times)}\n`);
