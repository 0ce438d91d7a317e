/** Fine-tuning and generating from the terminal, on a small GGUF file. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { runProgram } from "../../test/cli-program.ts";

const folder = mkdtempSync(join(tmpdir(), "netwright-cli-finetune-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const model = join(import.meta.dirname, "../../test/fixtures/llama-quantized.gguf");
const data = join(folder, "chat.jsonl");
writeFileSync(
  data,
  ["the dog", "an dog"].map((prompt) => JSON.stringify({ prompt, completion: "0 1 2" })).join("\n"),
);

test("what is learnt is shown, trained, saved and used", async () => {
  const adapter = join(folder, "adapter");
  const shown = await runProgram("finetune", model, "--data", data, "--show", "1");
  expect(shown.stdout.replaceAll(folder, "FOLDER")).toMatchInlineSnapshot(`
    ""FOLDER/chat.jsonl", line 1: 10 tokens, 6 are learnt
    <|user|>the dog‹<|user|>0 1 2›
    "
  `);
  const flags = [
    "--rank",
    "2",
    "--max-length",
    "32",
    "--epochs",
    "2",
    "--accumulate",
    "1",
    "--output",
    adapter,
  ];
  const trained = await runProgram("finetune", model, "--data", data, "--method", "qlora", ...flags);
  expect(trained.stderr).toBe("");
  expect(trained.stdout).toMatch(
    /trains \d+ of \d+ parameters \(.* %\), 2 steps at a rate of up to 0\.001, about /,
  );
  expect(trained.stdout).toMatch(/, [\d.]+ MB at the peak of a step\n/);
  expect(trained.stdout).toContain(`saved in "${adapter}"`);
  expect(existsSync(join(adapter, "adapter_config.json"))).toBe(true);
  const made = ["--temperature", "0", "--max-new-tokens", "4"];
  const plain = await runProgram("generate", model, "the dog", ...made);
  const adapted = await runProgram("generate", model, "the dog", "--adapter", adapter, ...made);
  expect([plain.code, adapted.code]).toEqual([0, 0]);
  expect(plain.stdout.length).toBeGreaterThan(1);
  expect((await runProgram("generate", model, "the dog", "--raw", ...made)).code).toBe(0);
});

test("a prompt: trained, saved, put before what is generated", async () => {
  const output = join(folder, "prompt");
  const flags = [
    "--method",
    "prompt",
    "--virtual-tokens",
    "3",
    "--prompt-text",
    "the dog",
    "--output",
    output,
  ];
  const small = ["--max-length", "32", "--epochs", "1", "--accumulate", "1"];
  const trained = await runProgram("finetune", model, "--data", data, ...flags, ...small);
  expect(trained.stderr).toBe("");
  expect(trained.stdout).toContain(`saved in "${output}"`);
  const config = JSON.parse(readFileSync(join(output, "adapter_config.json"), "utf8"));
  expect(config).toMatchObject({ peft_type: "PROMPT_TUNING", num_virtual_tokens: 3 });
  const made = await runProgram("generate", model, "a dog", "--adapter", output, "--max-new-tokens", "2");
  expect([made.code, made.stderr]).toEqual([0, ""]);
});

test("bottleneck adapters: trained, saved, used", async () => {
  const output = join(folder, "bottleneck");
  const flags = [
    "--method",
    "adapter",
    "--bottleneck-size",
    "4",
    "--variant",
    "pfeiffer",
    "--activation",
    "gelu",
  ];
  const small = ["--max-length", "32", "--epochs", "1", "--accumulate", "1", "--output", output];
  const trained = await runProgram("finetune", model, "--data", data, ...flags, ...small);
  expect(trained.stderr).toBe("");
  const config = JSON.parse(readFileSync(join(output, "adapter_config.json"), "utf8"));
  const wanted = { bottleneck_size: 4, variant: "pfeiffer", non_linearity: "gelu" };
  expect(config).toMatchObject({ peft_type: "BOTTLENECK", base_model_name_or_path: model, ...wanted });
  const made = await runProgram("generate", model, "a dog", "--adapter", output, "--max-new-tokens", "2");
  expect([made.code, made.stderr]).toEqual([0, ""]);
});

test("weights in 16 bits: trained beside them, or themselves", async () => {
  const plain = join(import.meta.dirname, "../../test/fixtures/llama.gguf");
  const small = ["--dtype", "bf16", "--max-length", "32", "--epochs", "1", "--accumulate", "1"];
  const output = join(folder, "bf16");
  const beside = await runProgram("finetune", plain, "--data", data, ...small, "--output", output);
  expect(beside.stderr).toBe("");
  expect(existsSync(join(output, "adapter_config.json"))).toBe(true);
  const whole = join(folder, "bf16-whole");
  const full = ["--method", "full", "--output", whole];
  expect((await runProgram("finetune", plain, "--data", data, ...small, ...full)).stderr).toBe("");
  const made = await runProgram("generate", whole, "a dog", "--raw", "--max-new-tokens", "2");
  expect(made.code).toBe(0);
});

test("a teacher: its opinion is learnt, and its perplexity told", async () => {
  const flags = ["--teacher", model, "--temperature", "3", "--teacher-weight", "0.8", "--validation", data];
  const small = [
    "--max-length",
    "32",
    "--epochs",
    "1",
    "--accumulate",
    "1",
    "--output",
    join(folder, "taught"),
  ];
  const trained = await runProgram("finetune", model, "--data", data, ...flags, ...small);
  expect(trained.stderr).toBe("");
  expect(trained.stdout).toMatch(/[\d.]+ before, [\d.]+ after; the teacher's is [\d.]+\n/);
});

test("preferences: DPO beside a frozen base, ORPO on all weights, whose folder opens again", async () => {
  const pairs = join(folder, "pairs.jsonl");
  const rows = ["a dog", "the dog"].map((prompt) => ({ prompt, chosen: "0 1 2", rejected: "the dog" }));
  writeFileSync(pairs, rows.map((row) => JSON.stringify(row)).join("\n"));
  const small = ["--max-length", "32", "--epochs", "1", "--accumulate", "1", "--validation", pairs];
  const plain = join(import.meta.dirname, "../../test/fixtures/llama.gguf");
  const dpo = ["--objective", "dpo", "--rank", "2", "--output", join(folder, "dpo")];
  const trained = await runProgram("finetune", plain, "--data", pairs, ...small, ...dpo);
  expect(trained.stderr).toBe("");
  expect(trained.stdout).toMatch(/likelier, of what was held out: [\d.]+ % before, [\d.]+ % after/);
  const whole = ["--objective", "orpo", "--method", "full", "--output", join(folder, "whole")];
  expect((await runProgram("finetune", plain, "--data", pairs, ...small, ...whole)).stderr).toBe("");
  const made = await runProgram("generate", join(folder, "whole"), "a dog", "--raw", "--max-new-tokens", "2");
  expect(made.code).toBe(0);
  expect((await runProgram("finetune", plain, "--data", pairs, "--objective", "dop")).stderr).toContain(
    'objective must be "dpo", "ipo" or "orpo", got "dop"',
  );
});

test("what is asked for wrongly", async () => {
  const message = async (...args: string[]): Promise<string> => {
    const { code, stderr } = await runProgram(...args);
    return `${code} ${stderr.replaceAll(folder, "FOLDER").trim()}`;
  };
  const all: string[] = [];
  for (const args of [
    ["finetune", model],
    ["finetune", model, "--data", data, "--method", "lra"],
    ["finetune", model, "--data", data, "--rank", "x"],
    ["finetune", model, "--data", data, "--temperature", "2"],
    ["finetune", model, "--data", data, "--dtype", "f8"],
    ["finetune", model, "--data", data, "--teacher", model, "--objective", "dpo"],
    ["finetune", model, "--data", data, "--target", "q_prj"],
    ["finetune", model, "--data", join(folder, "none.jsonl")],
    ["generate", model],
    ["generate", model, "the dog", "--top-p", "much"],
  ])
    all.push(await message(...args));
  expect(all).toMatchInlineSnapshot(`
    [
      "2 netwright: finetune needs --data FILE",
      "2 netwright: --method must be one of lora, dora, qlora, adapter, prompt, full, got "lra"",
      "2 netwright: --rank must be a number, got "x"",
      "2 netwright: --temperature goes with --teacher",
      "2 netwright: --dtype must be f32 or bf16, got "f8"",
      "2 netwright: --teacher does not go with --objective",
      "2 netwright: loraAdapters: no linear layer of Llama is called "q_prj"; did you mean "q_proj"? There are: q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj",
      "1 netwright: cannot read "FOLDER/none.jsonl": there is no such file or folder; check the path",
      "2 netwright: generate takes a model and a text, got 1",
      "2 netwright: --top-p must be a number, got "much"",
    ]
  `);
});
