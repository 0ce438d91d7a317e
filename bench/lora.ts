/**
 * Fine-tuning steps of a language model with LoRA, as `finetune` makes them: tokens a second, and the most memory that the process had.
 *
 *     node build/bench/lora.js smollm2 [--bits 4] [--rematerialize] [--length 512] [--rank 16] [--steps 4] [--target q_proj …]
 *     node build/bench/lora.js model.gguf [--bits 4]
 *
 * `smollm2` and `1b` are configurations (SmolLM2-135M's, TinyLlama-1.1B's) with random weights. `--bits 4`: a base of Q4_1 blocks; of a file
 * those that it holds. `--bits 16`: in bf16. The same in PyTorch with PEFT: bench/peers/python/torch_lora.py.
 */
import { parseArgs } from "node:util";
import { compile, device, grad, type Tensor, tensor } from "netwright";
import { loraAdapters, rematerializeLayers } from "netwright/finetune";
import { crossEntropy } from "netwright/losses";
import { type LanguageModel, Llama } from "netwright/models";
import { Embedding, Linear, setQuantizedWeight, storeWeights } from "netwright/nn";
import { AdamW } from "netwright/optim";
import { loadPretrained } from "netwright/pretrained";
import { hashedLabels } from "./data.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    ...{ bits: { type: "string", default: "32" }, rematerialize: { type: "boolean", default: false } },
    ...{ length: { type: "string", default: "512" }, batch: { type: "string", default: "1" } },
    ...{ rank: { type: "string", default: "16" }, steps: { type: "string", default: "4" } },
    target: { type: "string", multiple: true },
  },
});
const [length, batch, rank, steps] = [values.length, values.batch, values.rank, values.steps].map(Number) as [
  number,
  number,
  number,
  number,
];
const configurations = {
  smollm2: {
    ...{ vocabSize: 49152, hiddenSize: 576, intermediateSize: 1536, numLayers: 30, numHeads: 9 },
    ...{ numKeyValueHeads: 3, maxPositions: 8192, normEpsilon: 1e-5, rotaryBase: 1e5, tieEmbeddings: true },
  },
  "1b": {
    ...{ vocabSize: 32000, hiddenSize: 2048, intermediateSize: 5632, numLayers: 22, numHeads: 32 },
    ...{ numKeyValueHeads: 4, maxPositions: 2048, normEpsilon: 1e-5 },
  },
} as const;

/** Random blocks of 4 bits in place of each matrix: x = scale · q + minimum, about as large as a layer's first values. */
function randomBlocks(model: LanguageModel): void {
  for (const [path, layer] of model.namedModules()) {
    if (!(layer instanceof Linear || layer instanceof Embedding)) continue;
    const [rows, columns] = layer.weight.shape as readonly [number, number];
    const count = (rows * columns) / 32;
    const words = new Uint32Array(count * 5);
    // Halves: a power of two, 2 ** -k, and −7.5 times it.
    const k = layer instanceof Embedding ? 3 : Math.ceil(Math.log2(7.5 * Math.sqrt(columns)));
    const header = ((15 - k) << 10) | ((0x8000 | ((17 - k) << 10) | 896) << 16);
    let seed = path.length + 1;
    for (let block = 0; block < count; block++) {
      words[5 * block] = header;
      for (let i = 1; i < 5; i++) words[5 * block + i] = seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    }
    const data = new Uint8Array(words.buffer);
    setQuantizedWeight(layer, {
      type: "Q4_1",
      shape: [rows, columns],
      blocks: { dtype: "u8", shape: [rows, (columns / 32) * 20], data },
    });
  }
}

async function opened(): Promise<LanguageModel> {
  const [name = "smollm2"] = positionals;
  if (!Object.hasOwn(configurations, name))
    return (await loadPretrained(name, { quantized: values.bits === "4" })).model;
  const model = new Llama(configurations[name as "1b"]);
  if (values.bits === "4") randomBlocks(model);
  return model;
}

const model = await opened();
if (values.bits === "16") storeWeights(model, "bf16");
loraAdapters(model, { rank, ...(values.target && { targetModules: values.target }) });
if (values.rematerialize) rematerializeLayers(model);
model.train();
const optimizer = new AdamW(model.parameters({ trainable: true }), { learningRate: 1e-4 });
const step = compile((tokens: Tensor, labels: Tensor) => {
  const loss = crossEntropy(model.forward(tokens), labels);
  optimizer.step(grad(loss, optimizer.parameters));
  return loss;
});
const numbers = (seed: number): Tensor =>
  tensor(Int32Array.from(hashedLabels(seed, batch * length, 1000)), { shape: [batch, length] }) as Tensor;
const [tokens, labels] = [numbers(1), numbers(2)];
const planned = step.describe(tokens, labels).peakMemoryBytes;
const shown = (bytes: number): string => `${(bytes / 1e9).toFixed(2)} GB`;
if (steps === 0) console.log(`${shown(planned)} planned for a step`);
else {
  const first = await step(tokens, labels).item();
  const start = performance.now();
  let last: unknown;
  for (let i = 0; i < steps; i++) last = await step(tokens, labels).item();
  const seconds = (performance.now() - start) / 1000;
  const most = process.resourceUsage().maxRSS * 1024;
  console.log(
    `${((steps * batch * length) / seconds).toFixed(1)} tokens/s on ${device().threads} threads; ` +
      `at most ${shown(most)} resident, ${shown(planned)} planned for a step; loss ${first} → ${last}`,
  );
}
