/** A fresh process that traces and compiles a training step, then those of further models, and states the times. */
import { compile, device, type HostArray, type Tensor } from "netwright";
import type { CompileTimes } from "../compile.ts";
import type { Work } from "../protocol.ts";
import { summarize } from "../statistics.ts";
import * as gpt from "./gpt.ts";
import * as lstm from "./lstm.ts";
import * as resnet from "./resnet.ts";

type Argument = HostArray | Tensor;
/** A new model's training step, still to be compiled, and what it is called with. */
interface Prepared {
  readonly step: (x: Tensor, y: Tensor) => Tensor;
  readonly inputs: readonly [Argument, Argument];
}

function prepare(work: Work): Prepared {
  switch (work.kind) {
    case "gpt":
      return { step: gpt.trainingStep(work), inputs: gpt.batchesOf(work)(0) };
    case "resnet":
      return { step: resnet.trainingStep(work), inputs: resnet.batchesOf(work)(0) };
    case "lstm":
      return { step: lstm.trainingStep(work), inputs: lstm.batchOf(work) };
    default:
      throw new Error(`no step of "${work.kind}" to compile`);
  }
}

const work = JSON.parse(process.argv[2]) as Work;
const laterModels = work.kind === "resnet" ? 1 : 5;
// The processor is examined and the target chosen before: that is part of the start, not of compiling.
device();

function compileStep() {
  const { step, inputs } = prepare(work);
  let traceMs = 0;
  const train = compile((x: Tensor, y: Tensor) => {
    const begin = performance.now();
    const loss = step(x, y);
    traceMs = performance.now() - begin;
    return loss;
  });
  const begin = performance.now();
  const { kernels } = train.describe(...inputs);
  const compileMs = performance.now() - begin - traceMs;
  return { train, inputs, kernels: kernels.length, traceMs, compileMs };
}

const first = compileStep();
const later = Array.from({ length: laterModels }, compileStep);
const times: CompileTimes = {
  // Each node is a line of the printed graph: "%12 = add …".
  nodes: first.train.trace(...first.inputs).match(/^ *%/gm)!.length,
  kernels: first.kernels,
  traceMs: first.traceMs,
  compileMs: first.compileMs,
  laterTraceMs: summarize(later.map(({ traceMs }) => traceMs)).median,
  laterCompileMs: summarize(later.map(({ compileMs }) => compileMs)).median,
};
process.stdout.write(`${JSON.stringify(times)}\n`);
