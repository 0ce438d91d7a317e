/** A thread that runs the loop when it is told to. */
import { parentPort, workerData } from "node:worker_threads";
import { type LoopIsa, multiplyAddLoop } from "./native.ts";

const loops = new Map<LoopIsa, ReturnType<typeof multiplyAddLoop>>();

parentPort!.on("message", (passes: number) => {
  const isa = workerData as LoopIsa;
  if (!loops.has(isa)) loops.set(isa, multiplyAddLoop(isa));
  loops.get(isa)!.run(passes);
  parentPort!.postMessage("done");
});
