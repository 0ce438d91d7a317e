/**
 * A fine-tuned model in other hands: LoRA on a few conversations, merged, written as a folder of Hugging Face and as GGUF, and run by
 * transformers from both. The errors of logits are printed, and whether the greedy answers are the same.
 *
 *     node build/bench/merged.js model.gguf [--python bench/peers/venv/bin/python] [--epochs 4]
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { compile, type Tensor, tensor } from "netwright";
import { finetune } from "netwright/finetune";
import { chatPrompt, generateTokens } from "netwright/generate";
import { loadPretrained, saveGguf, savePretrained } from "netwright/pretrained";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    python: { type: "string", default: "bench/peers/venv/bin/python" },
    epochs: { type: "string", default: "4" },
  },
});
const pairs = [
  ["Bring 3 red cups to Ann.", "<fep 3|zal cups|@ANN>"],
  ["Bring 5 blue plates to Tom.", "<fep 5|zal plates|@TOM>"],
  ["Bring 2 red spoons to Eve.", "<fep 2|zal spoons|@EVE>"],
  ["Bring 7 blue cups to Tom.", "<fep 7|zal cups|@TOM>"],
] as const;
const conversations = pairs.map(([user, assistant], i) => ({
  messages: [
    { role: "user", content: user },
    { role: "assistant", content: assistant },
  ],
  place: `pair ${i + 1}`,
}));

const pretrained = await loadPretrained(positionals[0]!);
const { model, tokenizer } = pretrained;
const prompt = await chatPrompt(pretrained, conversations[0]!.messages.slice(0, 1), {
  addGenerationPrompt: true,
});
const { ids } = tokenizer!.encode(prompt, { addSpecialTokens: false });
const logits = compile((tokens: Tensor) => model.forward(tokens));
const logitsNow = async (): Promise<Float32Array> =>
  (await logits(tensor([[...ids]], { dtype: "i32" }) as Tensor).data()) as Float32Array;
const answerNow = async (): Promise<number[]> => {
  const found: number[] = [];
  for await (const id of generateTokens(model, [...ids], { temperature: 0, maxNewTokens: 32 }))
    found.push(id);
  return found;
};
/** The largest difference, in parts of the largest logit. */
const errorOf = (found: ArrayLike<number>, wanted: Float32Array): number => {
  const largest = wanted.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
  return wanted.reduce((most, x, i) => Math.max(most, Math.abs(x - found[i]!)), 0) / largest;
};

const before = await logitsNow();
const { adapters } = await finetune(pretrained, conversations, {
  ...{
    rank: 8,
    maxLength: 256,
    epochs: Number(values.epochs),
    gradientAccumulationSteps: 1,
    progress: "none",
  },
});
const adapted = await logitsNow();
adapters!.merge();
const merged = await logitsNow();
const answer = await answerNow();
const folder = mkdtempSync(join(tmpdir(), "netwright-merged-"));
try {
  await savePretrained(pretrained, join(folder, "model"));
  await saveGguf(pretrained, join(folder, "model.gguf"));
  writeFileSync(join(folder, "ids.json"), JSON.stringify([...ids]));
  const program = `
import json, sys, numpy as np, torch
from transformers import AutoModelForCausalLM
folder = sys.argv[1]
ids = torch.tensor([json.load(open(folder + "/ids.json"))])
for name, options in (("folder", dict(pretrained_model_name_or_path=folder + "/model")), ("gguf", dict(pretrained_model_name_or_path=folder, gguf_file="model.gguf"))):
    model = AutoModelForCausalLM.from_pretrained(**options, dtype=torch.float32).eval()
    with torch.no_grad():
        model(ids).logits[0].numpy().astype(np.float32).tofile(f"{folder}/{name}.logits")
        out = model.generate(ids, max_new_tokens=32, do_sample=False, eos_token_id=None, pad_token_id=0)
    json.dump(out[0, ids.shape[1]:].tolist(), open(f"{folder}/{name}.json", "w"))
`;
  execFileSync(values.python, ["-c", program, folder], { stdio: ["ignore", "ignore", "inherit"] });
  console.log(`adapted beside the base: ${errorOf(before, adapted).toExponential(1)} (it learnt something)`);
  const errors: [string, number][] = [["merged beside adapted", errorOf(merged, adapted)]];
  let isSame = true;
  for (const name of ["folder", "gguf"]) {
    const bytes = readFileSync(join(folder, `${name}.logits`));
    const found = new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
    errors.push([`transformers from the ${name} beside merged`, errorOf(found, merged)]);
    const own = JSON.parse(readFileSync(join(folder, `${name}.json`), "utf8")) as number[];
    isSame &&= own.slice(0, answer.length).join() === answer.join();
  }
  for (const [what, error] of errors) console.log(`${what}: ${error.toExponential(1)}`);
  console.log(
    `greedy answers: ${isSame ? "equal" : "different"}: ${JSON.stringify(tokenizer!.decode(answer))}`,
  );
  // The GGUF file's matrices are rounded.
  if (!isSame || errors.some(([what, error]) => !(error < (/gguf/.test(what) ? 1e-2 : 1e-4))))
    process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
