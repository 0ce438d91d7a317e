/**
 * Goes on with a text, a token at a time: each GGUF file whose path comes in is opened once, its weights kept in few bits. Answers how
 * long so many tokens took.
 */
import { createInterface } from "node:readline";
import { openGguf } from "netwright/formats";
import { Decoding } from "netwright/generate";
import { loadPretrained } from "netwright/pretrained";

const [prompt, tokens] = [[1, 2, 3, 4, 5], 32];

const bytesOfElement = { F32: 4, F16: 2, BF16: 2, Q4_0: 18 / 32, Q4_1: 20 / 32, Q8_0: 34 / 32 } as const;

interface Opened {
  readonly decoding: Decoding;
  /** Of all weights: each token reads them once, the embeddings as output layer. */
  readonly weightBytes: number;
}
const known = new Map<string, Opened>();

async function opened(path: string): Promise<Opened> {
  const found = known.get(path);
  if (found !== undefined) return found;
  const { model } = await loadPretrained(path, { quantized: true });
  const decoding = new Decoding(model as ConstructorParameters<typeof Decoding>[0], { maxLength: 256 });
  const file = await openGguf(path);
  const { tensors } = file;
  const weightBytes = [...tensors.values()].reduce(
    (sum, { type, shape }) => sum + bytesOfElement[type as "F32"] * shape.reduce((a, b) => a * b, 1),
    0,
  );
  await file.close();
  const made = { decoding, weightBytes };
  known.set(path, made);
  return made;
}

const likeliest = (logits: Float32Array): number =>
  logits.reduce((best, x, i) => (x > logits[best]! ? i : best), 0);

for await (const path of createInterface({ input: process.stdin })) {
  const { decoding, weightBytes } = await opened(path);
  decoding.rewind(0);
  let token = likeliest(await decoding.read(prompt));
  const [start, cpu] = [performance.now(), process.cpuUsage()];
  for (let i = 0; i < tokens; i++) token = likeliest(await decoding.read([token]));
  const seconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  console.log(JSON.stringify({ tokens, weightBytes, seconds, cpuSeconds: (user + system) / 1e6 }));
}
