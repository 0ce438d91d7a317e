/** What bench/netwright/generate.ts does, with llama.cpp (node-llama-cpp's own build of it). Argument: the number of threads. */
import { createInterface } from "node:readline";
import { getLlama } from "node-llama-cpp";

const [prompt, tokens] = [[1, 2, 3, 4, 5], 32];
const threads = Number(process.argv[2]);
const llama = await getLlama({ gpu: false, build: "never", maxThreads: threads, logLevel: "error" });
const known = new Map();

async function opened(path) {
  if (!known.has(path)) {
    const model = await llama.loadModel({ modelPath: path, gpuLayers: 0 });
    const context = await model.createContext({ contextSize: 256, threads, batchSize: 64 });
    known.set(path, context.getSequence());
  }
  return known.get(path);
}

for await (const path of createInterface({ input: process.stdin })) {
  const sequence = await opened(path);
  await sequence.clearHistory();
  let [start, cpu, count] = [0, process.cpuUsage(), 0];
  for await (const _ of sequence.evaluate(prompt, { temperature: 0, yieldEogToken: true })) {
    // The first comes from the prompt.
    if (count === 0) [start, cpu] = [performance.now(), process.cpuUsage()];
    if (count++ === tokens) break;
  }
  const seconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  console.log(JSON.stringify({ tokens, seconds, cpuSeconds: (user + system) / 1e6 }));
}
