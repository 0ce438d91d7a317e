/**
 * Fine-tuning steps of a language model with LoRA: tokens a second, and the most memory that the process had.
 *
 *     node build/bench/lora.js model.gguf [--quantized] [--length 512] [--rank 16] [--steps 4] [--target q_proj --target v_proj]
 *
 * The same in PyTorch with PEFT: bench/peers/python/torch_lora.py.
 */
import { parseArgs } from "node:util";
import { compile, device, grad, type Tensor, tensor } from "netwright";
import { loraAdapters } from "netwright/finetune";
import { crossEntropy } from "netwright/losses";
import { AdamW } from "netwright/optim";
import { loadPretrained } from "netwright/pretrained";
import { hashedLabels } from "./data.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    ...{ quantized: { type: "boolean", default: false }, length: { type: "string", default: "512" } },
    ...{ rank: { type: "string", default: "16" }, steps: { type: "string", default: "4" } },
    target: { type: "string", multiple: true },
  },
});
const [length, rank, steps] = [values.length, values.rank, values.steps].map(Number) as [
  number,
  number,
  number,
];
const { model } = await loadPretrained(positionals[0]!, { quantized: values.quantized });
loraAdapters(model, { rank, ...(values.target && { targetModules: values.target }) });
const optimizer = new AdamW(model.parameters({ trainable: true }), { learningRate: 1e-4 });
const step = compile((tokens: Tensor, labels: Tensor) => {
  const loss = crossEntropy(model.forward(tokens), labels);
  optimizer.step(grad(loss, optimizer.parameters));
  return loss;
});
const numbers = (seed: number): Tensor =>
  tensor(Int32Array.from(hashedLabels(seed, length, 1000)), { shape: [1, length] }) as Tensor;
const [tokens, labels] = [numbers(1), numbers(2)];
const planned = step.describe(tokens, labels).peakMemoryBytes;
await step(tokens, labels).item();
const start = performance.now();
for (let i = 0; i < steps; i++) await step(tokens, labels).item();
const seconds = (performance.now() - start) / 1000;
const most = process.resourceUsage().maxRSS * 1024;
console.log(
  `${((steps * length) / seconds).toFixed(1)} tokens/s on ${device().threads} threads; ` +
    `at most ${(most / 1e9).toFixed(2)} GB resident, ${(planned / 1e9).toFixed(2)} GB planned for a step`,
);
