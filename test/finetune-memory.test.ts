/** Fine-tuning fits where the docs say: in processes of their own, what they hold at most. The full tier alone. */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect } from "vitest";
import { root } from "./source.ts";
import { fullTest } from "./tier.ts";

/** The most gigabytes of a process that trains LoRA of rank 16 on rows of 512 tokens, random weights. */
async function mostResident(...args: readonly string[]): Promise<number> {
  const program = join(root, "build/bench/lora.js");
  if (!existsSync(program)) throw new Error("the benches are not built: npm run build, or npm test");
  const { stdout } = await promisify(execFile)(process.execPath, [program, ...args, "--steps", "1"]);
  return Number(/at most ([\d.]+) GB resident/.exec(stdout)![1]);
}

fullTest(
  "LoRA on SmolLM2-135M's sizes in 2 GB",
  async () => {
    expect(await mostResident("smollm2")).toBeLessThan(2);
  },
  1_800_000,
);

fullTest(
  "QLoRA on 1.1 billion weights of 4 bits in 4 GB",
  async () => {
    expect(await mostResident("1b", "--bits", "4", "--rematerialize")).toBeLessThan(4);
  },
  1_800_000,
);
