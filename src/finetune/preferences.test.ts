/** Preferences: both objectives move a model towards the better answers; what the model as it was thinks is worked out before. */
import { join } from "node:path";
import { expect, test } from "vitest";
import { loadPretrained } from "../pretrained/index.ts";
import { type FinetunePlan, finetunePreferences, type Preference } from "./index.ts";

const file = join(import.meta.dirname, "../../test/fixtures/llama.gguf");
const pair = (prompt: string, chosen: string, rejected: string, place: string): Preference => {
  const answer = (content: string) => [
    { role: "user", content: prompt },
    { role: "assistant", content },
  ];
  return { chosen: answer(chosen), rejected: answer(rejected), place };
};
const pairs = ["a dog", "the dog", "dog", "a"].map((prompt, i) =>
  pair(prompt, "0 1 2", "the dog", `line ${i + 1}`),
);
const options = {
  rank: 4,
  maxLength: 32,
  gradientAccumulationSteps: 1,
  batchSize: 2,
  progress: "none",
} as const;

test.each(["dpo", "ipo", "orpo"] as const)(
  "%s: better answers become the likelier ones",
  async (objective) => {
    const pretrained = await loadPretrained(file);
    const { history, agreement, adapters } = await finetunePreferences(pretrained, pairs, {
      ...options,
      ...{
        objective,
        validation: pairs,
        epochs: 6,
        learningRate: 0.02,
        beta: objective === "orpo" ? 1 : 0.1,
      },
    });
    const losses = history.epochs.map(({ scores }) => scores["loss"] as number);
    // Before the first step the model is its own reference: log 2, and (0 − 1 / 2β)² = 25.
    const first = { dpo: [0.1, 0.75], ipo: [5, 26], orpo: [0, Infinity] }[objective];
    expect(losses[0]).toBeGreaterThan(first[0]!);
    expect(losses[0]).toBeLessThan(first[1]!);
    expect(losses.at(-1)!).toBeLessThan(0.8 * losses[0]!);
    expect(agreement!.after).toBe(1);
    expect(adapters!.layers.size).toBe(14);
  },
);

test("layers computed again give the same training in less memory", async () => {
  const trained = async (rematerialize: boolean) => {
    const pretrained = await loadPretrained(file);
    let peak = 0;
    const told = { rematerialize, epochs: 1, onPlan: (plan: FinetunePlan) => void (peak = plan.peakBytes) };
    const { history } = await finetunePreferences(pretrained, pairs, { ...options, ...told });
    const names = [...pretrained.model.namedModules().keys()];
    return { peak, loss: history.epochs[0]!.scores["loss"], names };
  };
  const [kept, again] = [await trained(false), await trained(true)];
  expect(again.loss).toBe(kept.loss);
  expect(again.names).toEqual(kept.names);
  expect(again.peak).toBeLessThan(0.9 * kept.peak);
});

test("the plan counts pairs, and what is left out is said; options that mean nothing are refused", async () => {
  const pretrained = await loadPretrained(file);
  let plan: FinetunePlan | undefined;
  const more = [...pairs, pairs[0]!, pair("a dog", "the dog ".repeat(30), "0 1", "line 7")];
  await finetunePreferences(pretrained, more, {
    ...options,
    epochs: 1,
    onPlan: (told) => void (plan = told),
  });
  expect(plan).toMatchObject({ conversations: 5, rows: 10, validationConversations: 0, learningRate: 1e-4 });
  expect(plan!.peakBytes).toBeGreaterThan(20_000);
  expect(plan!.warnings).toEqual([
    "1 pair stood there before and count once",
    "longer than 32 tokens, cut off there: line 7",
  ]);
  await expect(finetunePreferences(pretrained, pairs, { objective: "kto" as never })).rejects.toThrow(
    'objective must be "dpo", "ipo" or "orpo", got "kto"',
  );
  await expect(finetunePreferences(pretrained, pairs, { patience: 2 } as never)).rejects.toThrow("patience");
});
