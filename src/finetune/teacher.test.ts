/** Learning from a larger model: the loss, what is learnt by it, what stays as it was, what does not fit. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { sizeOf } from "../../test/model-states.ts";
import { Llama } from "../models/index.ts";
import { loadPretrained, type Pretrained } from "../pretrained/index.ts";
import { type Tensor, tensor } from "../tensor/index.ts";
import { type DistillationSettings, type FinetuneOptions, type FinetunePlan, finetune } from "./index.ts";
import { taughtLoss } from "./teacher.ts";

const file = join(import.meta.dirname, "../../test/fixtures/llama.gguf");
let folder = "";
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), "netwright-"))));
afterAll(() => rmSync(folder, { recursive: true }));

const talks = (answers: readonly string[]) =>
  answers.map((content, i) => ({
    messages: [
      { role: "user", content: ["a dog", "the dog"][i]! },
      { role: "assistant", content },
    ],
    place: `line ${i + 1}`,
  }));
const common: FinetuneOptions = {
  ...{ maxLength: 32, epochs: 30, gradientAccumulationSteps: 1, progress: "none" },
};
/** A wider model of the same tokenizer that knows the answers. */
async function teacher(answers = ["0 1 2", "2 1 0"]): Promise<Pretrained> {
  const opened = await loadPretrained(file);
  const { vocabSize } = (opened.model as Llama).options;
  const sizes = { hiddenSize: 32, numLayers: 1, numHeads: 2, intermediateSize: 48, key: 1 };
  // Its table has rows that are of no token.
  const wide = { ...opened, model: new Llama({ vocabSize: vocabSize + 8, ...sizes }) };
  await finetune(wide, talks(answers), { ...common, method: "full", learningRate: 0.02 });
  return wide;
}

test("the loss: T² · KL and cross-entropy by their weights, over the tokens that are learnt", async () => {
  const [student, opinion, labels] = [
    [1, -2, 0.5, 3, 1, 0, 0, 0, 9],
    [0, 2, 1, -1, 0, 4, 5, 5, -5],
    [2, -100, 0],
  ];
  const softmax = (x: readonly number[], t: number): number[] => {
    const powers = x.map((value) => Math.exp(value / t));
    return powers.map((power) => power / powers.reduce((a, b) => a + b, 0));
  };
  const [t, w] = [3, 0.25];
  let [drawn, crossed] = [0, 0];
  for (const row of [0, 2]) {
    const [own, other] = [student!, opinion!].map((x) => x.slice(3 * row, 3 * row + 3)) as [
      number[],
      number[],
    ];
    const [p, q] = [softmax(other, t), softmax(own, t)];
    drawn += (t ** 2 * p.reduce((sum, value, i) => sum + value * Math.log(value / q[i]!), 0)) / 2;
    crossed -= Math.log(softmax(own, 1)[labels![row]!]!) / 2;
  }
  const logits = (x: readonly number[]): Tensor =>
    tensor(Float32Array.from(x), { shape: [1, 3, 3] }) as Tensor;
  const taught = { logits: logits(student!), teacher: logits(opinion!) };
  const of = (weight: number): Promise<unknown> =>
    taughtLoss(taught, tensor([labels!], { dtype: "i32" }) as Tensor, { temperature: t, weight }).item();
  expect(await of(w)).toBeCloseTo((1 - w) * crossed + w * drawn, 5);
  expect(await of(1)).toBeCloseTo(drawn, 5);
});

test("a model learns what the teacher says, not what the data say, where that alone counts", async () => {
  const wise = await teacher();
  const kept = await Promise.all(wise.model.parameters().map((each) => each.data()));
  const pretrained = await loadPretrained(file);
  const modes = new Set<boolean>();
  let plan: FinetunePlan | undefined;
  const wrong = talks(["a dog", "an dog"]);
  const { perplexity, adapters } = await finetune(pretrained, wrong, {
    ...{ ...common, rank: 4, learningRate: 0.02, patience: 30 },
    distillation: { teacher: wise, weight: 1, temperature: 1 },
    validation: talks(["0 1 2", "2 1 0"]),
    callbacks: [{ onStepEnd: () => void modes.add(wise.model.training) }],
    onPlan: (found) => void (plan = found),
  });
  const own = (await loadPretrained(file)).model.parameters();
  expect(plan!.parameters).toBe(own.reduce((sum, { shape }) => sum + sizeOf(shape), 0));
  expect(adapters!.layers.size).toBe(14);
  expect(perplexity!.teacher).toBeLessThan(1.5);
  expect(perplexity!.after).toBeLessThan(perplexity!.before / 2);
  // The teacher stayed in evaluation mode, has the weights that it had, and may be trained again.
  expect([...modes]).toEqual([false]);
  expect(await Promise.all(wise.model.parameters().map((each) => each.data()))).toEqual(kept);
  expect(wise.model.parameters({ trainable: true }).length).toBe(wise.model.parameters().length);
});

test("going on with a checkpoint: the same bits; with another teacher it is refused", async () => {
  const checkpoint = join(folder, "state.safetensors");
  const run = async (more: FinetuneOptions, wise: Pretrained) => {
    const { adapters } = await finetune(await loadPretrained(file), talks(["0 1 2", "2 1 0"]), {
      ...{ ...common, rank: 4, epochs: 4, distillation: { teacher: wise } },
      ...more,
    });
    return Promise.all(adapters!.parameters().map((each) => each.data()));
  };
  const wise = await teacher();
  const whole = await run({}, wise);
  await run(
    { checkpoint, callbacks: [{ onEpochEnd: ({ epoch }, to) => void (epoch === 2 && to.stop("enough")) }] },
    wise,
  );
  await expect(run({ checkpoint, resume: true }, await teacher(["1", "1"]))).rejects.toThrow(
    /this model has others \(\d+ of \d+ differ, "teacher\./,
  );
  expect(await run({ checkpoint, resume: true }, wise)).toEqual(whole);
});

test("what does not fit", async () => {
  const student = await loadPretrained(file);
  const wise = await loadPretrained(file);
  const { tokenizer } = wise;
  const other = {
    ...wise,
    tokenizer: { ...tokenizer!, vocabularySize: 41, tokenOf: (id: number) => `${id}` },
  };
  const message = (distillation: DistillationSettings, more: FinetuneOptions = {}): Promise<string> =>
    finetune(student, talks(["0", "1"]), { progress: "none", ...more, distillation }).then(
      () => expect.unreachable(),
      (error: Error) => error.message,
    );
  const all: string[] = [];
  for (const [distillation, more] of [
    [{ teacher: wise, temperature: 0 }, {}],
    [{ teacher: wise, weight: 2 }, {}],
    [{ teacher: wise, wieght: 1 }, {}],
    [{ teacher: student }, {}],
    [{ teacher: { ...wise, tokenizer: undefined } }, {}],
    [{ teacher: other }, {}],
    [{ teacher: wise }, { method: "prompt" }],
  ] as [DistillationSettings, FinetuneOptions][])
    all.push(await message(distillation, more));
  expect(all).toMatchInlineSnapshot(`
    [
      "finetune: distillation.temperature must be above 0, got 0",
      "finetune: distillation.weight must be above 0 and at most 1, got 2",
      "finetune: distillation: there is no option "wieght"; did you mean "weight"?",
      "finetune: the teacher is the model itself; open it a second time to learn from it as it was",
      "finetune: the teacher comes without a tokenizer, so it is not known whether both read the same tokens; put its tokenizer.json into the folder",
      "finetune: the teacher reads other tokens: number 0 is "0" there and "<|begin|>" in the model (41 and 40 tokens); take a teacher with the same tokenizer",
      "finetune: a learnt prompt stands before the texts of one model alone, so it does not go with distillation",
    ]
  `);
});
