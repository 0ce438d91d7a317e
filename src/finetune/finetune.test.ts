/** Conversations: what is read, what carries loss, how texts share rows; a model that learns them. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { sizeOf } from "../../test/model-states.ts";
import type { Dataset } from "../data/index.ts";
import { readSafetensors } from "../formats/index.ts";
import { chatPrompt, Decoding, generate } from "../generate/index.ts";
import { dpo, sequenceLogProbability } from "../losses/index.ts";
import { Llama } from "../models/index.ts";
import { adamw } from "../optim/index.ts";
import { loadPretrained, type Pretrained } from "../pretrained/index.ts";
import { compile, grad, type HostArray, type Tensor, tensor, zeros } from "../tensor/index.ts";
import {
  type Conversation,
  chatTokens,
  type FinetuneOptions,
  type FinetunePlan,
  finetune,
  loraAdapters,
  type Preference,
  packTokens,
  readConversations,
  readPreferences,
  showLoss,
} from "./index.ts";

const file = join(import.meta.dirname, "../../test/fixtures/llama.gguf");
const quantizedFile = join(import.meta.dirname, "../../test/fixtures/llama-quantized.gguf");

let folder = "";
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), "netwright-"))));
afterAll(() => rmSync(folder, { recursive: true }));

const said = (...turns: readonly [role: string, content: string][]) =>
  turns.map(([role, content]) => ({ role, content }));

describe("a file of conversations", () => {
  const read = (text: string): Promise<Conversation[]> => {
    const path = join(folder, "chat.jsonl");
    writeFileSync(path, text);
    return readConversations(path);
  };

  test("messages, or a prompt and its completion; empty lines and other keys are left alone", async () => {
    const messages = said(["system", ""], ["user", "a dog"], ["assistant", "the dog"]);
    const lines = [
      { id: 7, messages },
      { prompt: "x", completion: "y" },
    ].map((row) => JSON.stringify(row));
    const found = await read(`\ufeff${lines[0]}\n\n${lines[1]}\n`);
    expect(found.map((each) => each.messages)).toEqual([messages, said(["user", "x"], ["assistant", "y"])]);
    expect(found[1]!.place).toBe(`"${join(folder, "chat.jsonl")}", line 3`);
  });

  test("what is wrong is named by file, line and key", async () => {
    const fine = '{"prompt":"x","completion":"y"}';
    const message = (line: string): Promise<string> =>
      read(`${fine}\n${line}\n`).then(
        () => expect.unreachable(line),
        (error: Error) => error.message.replaceAll(folder, "FOLDER"),
      );
    const messages = (...list: readonly unknown[]): string => JSON.stringify({ messages: list });
    const lines = [
      "{",
      "[1]",
      '{"message": []}',
      '{"messages": "x"}',
      '{"prompt": "x"}',
      '{"prompt": "x", "complition": "y"}',
      messages({ role: "user", content: "x" }),
      messages({ role: "user", content: "x" }, { role: "asistant", content: "y" }),
      messages({ role: "user", content: "x" }, { role: "assistant", content: 5 }),
      messages({ role: "user", content: "x" }, { role: "assistant", content: " " }),
      messages({ role: "user", content: "x" }, null),
    ];
    expect([...(await Promise.all([])), ...(await inTurn(lines, message))]).toMatchInlineSnapshot(`
      [
        ""FOLDER/chat.jsonl", line 2 is no JSON: Expected property name or '}' in JSON at position 1",
        ""FOLDER/chat.jsonl", line 2: an object is expected, got a list",
        ""FOLDER/chat.jsonl", line 2 has neither messages nor prompt and completion, but message; is "message" meant?",
        ""FOLDER/chat.jsonl", line 2: messages must be a list, got a string",
        ""FOLDER/chat.jsonl", line 2: completion is missing",
        ""FOLDER/chat.jsonl", line 2: completion is missing; is "complition" meant?",
        ""FOLDER/chat.jsonl", line 2: no message is the assistant's, so there is nothing to learn",
        ""FOLDER/chat.jsonl", line 2: messages[1].role must be one of system, user, assistant, tool, got "asistant"; did you mean "assistant"?",
        ""FOLDER/chat.jsonl", line 2: messages[1].content must be a string, got a number",
        ""FOLDER/chat.jsonl", line 2: messages[1].content is empty",
        ""FOLDER/chat.jsonl", line 2: messages[1] must be an object with role and content, got null",
      ]
    `);
    await expect(read("\n")).rejects.toThrow(/holds no conversations/);
  });
});

describe("a file of preferences", () => {
  const path = (): string => join(folder, "pairs.jsonl");
  const read = (text: string): Promise<Preference[]> => {
    writeFileSync(path(), text);
    return readPreferences(path());
  };

  test("a prompt, or what was said before, with two answers", async () => {
    const prompt = said(["system", "s"], ["user", "x"], ["assistant", "y"], ["user", "z"]);
    const answers = { chosen: "good", rejected: "bad" };
    const lines = [
      { prompt: "x", ...answers },
      { prompt, ...answers, score: 2 },
    ];
    const found = await read(lines.map((line) => JSON.stringify(line)).join("\n\n"));
    expect(found).toEqual([
      {
        chosen: said(["user", "x"], ["assistant", "good"]),
        rejected: said(["user", "x"], ["assistant", "bad"]),
        place: `"${path()}", line 1`,
      },
      {
        chosen: [...prompt, ...said(["assistant", "good"])],
        rejected: [...prompt, ...said(["assistant", "bad"])],
        place: `"${path()}", line 3`,
      },
    ]);
  });

  test("what is wrong is named by file, line and key", async () => {
    const message = (row: object): Promise<string> =>
      read(JSON.stringify(row)).then(
        () => expect.unreachable(),
        (error: Error) => error.message.replaceAll(folder, "FOLDER"),
      );
    const rows = [
      { prompt: "x", chosen: "y" },
      { prompt: "x", chosen: "y", rejectd: "z" },
      { prompt: "x", chosen: "y", rejected: " " },
      { prompt: "x", chosen: "y", rejected: "y" },
      { prompt: 5, chosen: "y", rejected: "z" },
      { prompt: [], chosen: "y", rejected: "z" },
      { prompt: [{ role: "usr", content: "x" }], chosen: "y", rejected: "z" },
    ];
    expect(await inTurn(rows, message)).toMatchInlineSnapshot(`
      [
        ""FOLDER/pairs.jsonl", line 1: rejected is missing",
        ""FOLDER/pairs.jsonl", line 1: rejected is missing; is "rejectd" meant?",
        ""FOLDER/pairs.jsonl", line 1: rejected is empty",
        ""FOLDER/pairs.jsonl", line 1: chosen and rejected are equal, so nothing is preferred",
        ""FOLDER/pairs.jsonl", line 1: prompt must be a string, got a number",
        ""FOLDER/pairs.jsonl", line 1: prompt is empty",
        ""FOLDER/pairs.jsonl", line 1: prompt[0].role must be one of system, user, assistant, tool, got "usr"; did you mean "user"?",
      ]
    `);
    await expect(read("")).rejects.toThrow(/holds no preferences/);
  });

  test("steps of DPO on them prefer the chosen answer", async () => {
    const pretrained = { ...(await loadPretrained(file)), chatTemplate };
    const { model } = pretrained;
    const [pair] = await read('{"prompt":"the dog","chosen":"an dog","rejected":"dog"}');
    const packed: { dataset: Dataset }[] = [];
    for (const messages of [pair!.chosen, pair!.rejected]) {
      const tokens = await chatTokens(pretrained, messages);
      packed.push(packTokens([tokens], { maxLength: 32, padToken: 0 }));
    }
    const rows = await Promise.all(packed.map(({ dataset }) => dataset.batch([0])));
    const columns = rows.map((row) => row as unknown as Record<string, HostArray>);
    const likely = (row: Record<string, HostArray>): Tensor =>
      sequenceLogProbability(
        model.forward(tensor(row["tokens"]!) as Tensor),
        tensor(row["labels"]!) as Tensor,
      );
    const reference: Tensor[] = [];
    for (const row of columns) reference.push(tensor([(await likely(row).item()) as number]) as Tensor);
    const adapters = loraAdapters(model, { rank: 2 });
    const optimizer = adamw({ learningRate: 0.02 })(adapters.parameters());
    const step = compile(() => {
      const loss = dpo(likely(columns[0]!), likely(columns[1]!), reference[0]!, reference[1]!);
      optimizer.step(grad(loss, adapters.parameters()) as Tensor[]);
      return loss;
    });
    const first = (await step().item()) as number;
    expect(first).toBeCloseTo(Math.LN2, 5);
    for (let i = 0; i < 8; i++) step();
    expect((await step().item()) as number).toBeLessThan(0.9 * first);
  });
});

async function inTurn<X, Y>(list: readonly X[], each: (x: X) => Promise<Y>): Promise<Y[]> {
  const all: Y[] = [];
  for (const x of list) all.push(await each(x));
  return all;
}

const chatTemplate =
  "{% for m in messages %}<|user|>{{ m['role'] }}<|begin|>{{ m['content'] }}<|end|>a{% endfor %}" +
  "{% if add_generation_prompt %}<|user|>assistant<|begin|>{% endif %}";

test("the assistant's turns carry loss, with the token that ends them", async () => {
  const pretrained = { ...(await loadPretrained(file)), chatTemplate };
  const messages = said(["user", "the dog"], ["assistant", "an dog"], ["user", "x"], ["assistant", "the"]);
  const tokens = await chatTokens(pretrained, messages);
  expect(tokens.ids.length).toBe(tokens.isLearnt.length);
  expect(showLoss(pretrained, tokens, { color: false })).toBe(
    "<|user|>user<|begin|>the dog<|end|>a<|user|>assistant<|begin|>‹an dog<|end|>›a<|user|>user<|begin|>x<|end|>a" +
      "<|user|>assistant<|begin|>‹the<|end|>›a",
  );
  expect(showLoss(pretrained, tokens)).toContain("\x1b[32man dog<|end|>\x1b[0m");
});

describe("packing", () => {
  const text = (from: number, length: number, learnt = 1) => ({
    ids: Array.from({ length }, (_, i) => from + i),
    isLearnt: Array.from({ length }, (_, i) => i >= learnt),
  });

  test("texts go into the first row that has room; nothing is left out in silence", async () => {
    const texts = [text(10, 5), text(20, 4, 2), text(1, 9, 9), text(30, 3), text(0, 10, 5)];
    const packed = packTokens(texts, { maxLength: 8, padToken: 39 });
    expect(packed).toMatchObject({ rows: 3, tokens: 20, truncated: [4], dropped: [2] });
    const all = await packed.dataset.batch([0, 1, 2]);
    const column = (name: string): number[][] => {
      const data = Array.from((all as Record<string, { data: Int32Array }>)[name]!.data);
      return [data.slice(0, 8), data.slice(8, 16), data.slice(16)];
    };
    expect(column("tokens").slice(0, 2)).toEqual([
      [10, 11, 12, 13, 14, 30, 31, 32],
      [20, 21, 22, 23, 39, 39, 39, 39],
    ]);
    expect(column("documents").slice(0, 2)).toEqual([
      [1, 1, 1, 1, 1, 2, 2, 2],
      [1, 1, 1, 1, 0, 0, 0, 0],
    ]);
    expect(column("positions")[0]).toEqual([0, 1, 2, 3, 4, 0, 1, 2]);
    expect(column("labels").slice(0, 2)).toEqual([
      [11, 12, 13, 14, -100, 31, 32, -100],
      [-100, 22, 23, -100, -100, -100, -100, -100],
    ]);
    expect(packed.learntTokens).toBe(4 + 2 + 2 + 3);
    expect(() => packTokens([text(1, 9, 9)], { maxLength: 8, padToken: 0 })).toThrow(
      /no token of these texts/,
    );
  });

  test("texts that share a row do not see each other", async () => {
    const model = new Llama({
      ...{
        vocabSize: 40,
        hiddenSize: 16,
        numLayers: 2,
        numHeads: 4,
        numKeyValueHeads: 2,
        intermediateSize: 24,
      },
    });
    const ids = (list: readonly number[]): Tensor => tensor([list], { dtype: "i32" }) as Tensor;
    const alone = (await model.forward(ids([7, 8, 9])).data()) as Float32Array;
    const together = await model
      .forward(ids([3, 4, 7, 8, 9, 0]), {
        documents: ids([1, 1, 2, 2, 2, 0]),
        positions: ids([0, 1, 0, 1, 2, 0]),
      })
      .data();
    const found = (together as Float32Array).subarray(2 * 40, 5 * 40);
    for (const [i, x] of alone.entries()) expect(Math.abs(found[i]! - x)).toBeLessThan(1e-5);
    expect(() => model.forward(ids([1]), { documents: ids([1]), caches: model.caches(1, 4) })).toThrow(
      /documents or caches/,
    );
  });
});

/** What a row of training, a text by itself and a text read token by token through caches make of the same conversations. */
describe.each([
  ["f32, with an adapter on the output layer", file, ["lm_head"]],
  ["a base of few bits", quantizedFile, []],
])("training and generation agree: %s", (_, path, heads) => {
  const talks = [
    said(["user", "the dog"], ["assistant", "an dog 0 1"]),
    said(["user", "x"], ["assistant", "the"], ["user", "dog"], ["assistant", "an an 7"]),
  ];

  test("on tokens: what is learnt begins where the prompt ends", async () => {
    const pretrained = { ...(await loadPretrained(path)), chatTemplate };
    for (const talk of talks) {
      const { ids, isLearnt } = await chatTokens(pretrained, talk);
      const prompt = await chatPrompt(pretrained, talk.slice(0, -1));
      const read = pretrained.tokenizer!.encode(prompt, { addSpecialTokens: false }).ids;
      expect(ids.slice(0, read.length)).toEqual([...read]);
      expect(isLearnt.slice(read.length - 1, read.length + 1)).toEqual([false, true]);
    }
  });

  test("on logits: with adapters that came after the first trace, and when they are merged", async () => {
    const pretrained = {
      ...(await loadPretrained(path, { quantized: path === quantizedFile })),
      chatTemplate,
    };
    const { model } = pretrained;
    const vocabulary = model.logits(zeros([pretrained.config.size("hidden_size")]) as Tensor)
      .shape[0] as number;
    const texts = await Promise.all(talks.map((talk) => chatTokens(pretrained, talk)));
    const packed = packTokens(texts, { maxLength: 128, padToken: 0 });
    expect(packed.rows).toBe(1);
    const columns = (await packed.dataset.batch([0])) as unknown as Record<string, HostArray>;
    const training = compile((tokens: Tensor, documents: Tensor, positions: Tensor) =>
      model.forward(tokens, { documents, positions }),
    );
    const alone = compile((tokens: Tensor) => model.forward(tokens));
    const decoding = new Decoding(model, { maxLength: 128 });
    /** Logits of the row's texts, one behind the other. */
    const inRows = async (): Promise<Float32Array> => {
      const logits = await training(columns["tokens"]!, columns["documents"]!, columns["positions"]!).data();
      return (logits as Float32Array).slice(0, packed.tokens * vocabulary);
    };
    const expectAgreement = async (): Promise<Float32Array> => {
      const found = await inRows();
      const [single, cached]: number[][] = [[], []];
      for (const { ids, isLearnt } of texts) {
        single!.push(
          ...((await alone(tensor([[...ids]], { dtype: "i32" }) as Tensor).data()) as Float32Array),
        );
        decoding.rewind(0);
        const start = isLearnt.indexOf(true);
        cached!.push(...(await decoding.readEach(ids.slice(0, start))).flatMap((row) => [...row]));
        for (const id of ids.slice(start)) cached!.push(...(await decoding.read([id])));
      }
      for (const other of [single!, cached!]) {
        expect(other.length).toBe(found.length);
        expect(Math.max(...found.map((x, i) => Math.abs(x - other[i]!)))).toBeLessThan(1e-4);
      }
      return found;
    };
    const distance = (x: Float32Array, y: Float32Array): number =>
      Math.max(...x.map((value, i) => Math.abs(value - y[i]!)));

    const before = await expectAgreement();
    const adapters = loraAdapters(model, {
      ...{ rank: 2, dropout: 0.5, key: 1 },
      targetModules: ["q_proj", "v_proj", "o_proj", "down_proj", ...heads],
    });
    for (const { b } of adapters.layers.values())
      b.assign(
        tensor(
          Float32Array.from({ length: sizeOf(b.shape) }, (_, i) => Math.sin(i)),
          { shape: b.shape },
        ),
      );
    const after = await expectAgreement();
    expect(distance(before, after)).toBeGreaterThan(0.1);
    adapters.merge();
    expect(distance(await expectAgreement(), after)).toBeLessThan(1e-3);
  });
});

describe("finetune", () => {
  const conversations = ["the dog", "an dog", "dog", "the the"].map((prompt, i) => ({
    messages: said(["user", prompt], ["assistant", `${"abcd"[i]} 0 1 2`]),
    place: `line ${i + 1}`,
  }));
  const common: FinetuneOptions = {
    ...{
      maxLength: 64,
      epochs: 30,
      learningRate: 0.02,
      gradientAccumulationSteps: 1,
      progress: "none",
      seed: 3,
    },
  };
  const answer = async (pretrained: Pretrained, prompt: string): Promise<string> => {
    let text = "";
    const messages = said(["user", prompt]);
    for await (const piece of generate(pretrained, messages, { temperature: 0, maxNewTokens: 16 }))
      text += piece;
    return text;
  };
  const answers = (pretrained: Pretrained): Promise<string[]> =>
    inTurn(conversations, ({ messages }) => answer(pretrained, messages[0]!.content));
  const learnt = conversations.map(({ messages }) => messages[1]!.content);

  test.each([
    ["lora", file, {}],
    ["dora", file, { method: "dora" }],
    ["full", file, { method: "full", learningRate: 0.01 }],
    ["a base of few bits", quantizedFile, {}],
  ] as const)(
    "%s: learns answers by heart, says what it will do, and how well it went",
    async (_, path, more) => {
      const pretrained = {
        ...(await loadPretrained(path, { quantized: path === quantizedFile })),
        chatTemplate,
      };
      let plan: FinetunePlan | undefined;
      const { adapters, history, perplexity } = await finetune(pretrained, conversations, {
        ...common,
        ...more,
        validation: conversations,
        patience: 30,
        onPlan: (found) => void (plan = found),
      });
      expect(plan).toMatchObject({ conversations: 4, validationConversations: 4, warnings: [] });
      expect(plan!.trainableParameters).toBe(
        pretrained.model
          .parameters({ trainable: true })
          .reduce((sum, { shape }) => sum + shape.reduce((a: number, b: number) => a * b, 1), 0),
      );
      const whole = [...(await loadPretrained(path)).model.namedParameters().values()];
      expect(plan!.parameters).toBe(whole.reduce((sum, { shape }) => sum + sizeOf(shape), 0));
      expect(plan!.steps).toBe(plan!.rows * 30);
      expect(history.epochs.length).toBe(30);
      expect(perplexity!.after).toBeLessThan(perplexity!.before / 4);
      // Greedily, each prompt brings back its whole answer and the token that ends it.
      expect(await answers(pretrained)).toEqual(learnt);
      if (adapters === undefined) return;
      adapters.merge();
      expect(await answers(pretrained)).toEqual(learnt);
    },
  );

  test("stopped and gone on with it ends with the same bits; warnings name places", async () => {
    const checkpoint = join(folder, "state.safetensors");
    const plans: FinetunePlan[] = [];
    const run = async (epochs: number, more: FinetuneOptions = {}): Promise<Float32Array> => {
      const pretrained = await loadPretrained(file);
      const { adapters } = await finetune(pretrained, [...conversations, conversations[0]!], {
        ...common,
        ...{
          epochs: 4,
          maxLength: 16,
          targetModules: ["q_proj"],
          rank: 2,
          onPlan: (plan: FinetunePlan) => void plans.push(plan),
        },
        ...more,
        callbacks:
          epochs === 4
            ? []
            : [{ onEpochEnd: ({ epoch }, training) => void (epoch === epochs && training.stop("enough")) }],
      });
      return (await adapters!.parameters()[1]!.data()) as Float32Array;
    };
    const whole = await run(4);
    await run(2, { checkpoint });
    expect(await run(4, { checkpoint, resume: true })).toEqual(whole);
    expect(plans[0]!.warnings).toEqual(["1 conversation stood there before and count once"]);
  });

  test.each([
    { method: "lora", isQuantized: false },
    { method: "lora", isQuantized: true },
    { method: "dora", isQuantized: false },
  ] as const)(
    "a checkpoint of $method (quantized: $isQuantized) holds what is trained; another base is refused",
    async ({ method, isQuantized }) => {
      const checkpoint = join(folder, `${method}-${isQuantized}.safetensors`);
      const base = isQuantized ? quantizedFile : file;
      const run = async (
        more: FinetuneOptions,
        { stopAt = 0, change = (_: Pretrained): void => {} } = {},
      ): Promise<readonly unknown[]> => {
        const pretrained = { ...(await loadPretrained(base, { quantized: isQuantized })), chatTemplate };
        change(pretrained);
        const { adapters, history } = await finetune(pretrained, conversations, {
          ...{ ...common, method, epochs: 4, targetModules: ["q_proj", "down_proj"], rank: 2, dropout: 0.1 },
          // Scores become worse with such a rate: the best weights, of an epoch before, come back.
          ...{ validation: conversations.slice(0, 2), patience: 1, learningRate: 0.3, batchSize: 1 },
          gradientAccumulationSteps: 2,
          ...more,
          callbacks: [
            { onStepEnd: (_, training) => void (training.step === stopAt && training.stop("enough")) },
          ],
        });
        const values = await Promise.all(adapters!.parameters().map((each) => each.data()));
        return [values, history.epochs.map(({ scores }) => scores["loss"]), history.stopReason];
      };
      const whole = await run({});
      if (!isQuantized) expect(whole[2]).toContain("restored");
      await run({ checkpoint }, { stopAt: 5 });
      const { tensors } = await readSafetensors(checkpoint);
      const model = [...tensors.keys()].filter((name) => !name.startsWith("@training/"));
      expect(model.every((name) => /lora|@optimizer\/step|@random\//.test(name))).toBe(true);
      expect(model.some((name) => name.startsWith("@optimizer/firstMoment."))).toBe(true);
      expect([...tensors.keys()].filter((name) => /norm|embed|quants|q_proj\.weight/.test(name))).toEqual([]);
      await expect(
        run(
          { checkpoint, resume: true },
          {
            change: ({ model: other }) => {
              const [parameter] = other.parameters();
              parameter!.assign(parameter!.add(1e-3));
            },
          },
        ),
      ).rejects.toThrow(
        /holds what was trained beside frozen weights, and this model has others \(1 of \d+ differ, "model\./,
      );
      expect(await run({ checkpoint, resume: true })).toEqual(whole);
    },
  );

  test("a training that fails leaves the model as it was, and the next one runs", async () => {
    const pretrained = { ...(await loadPretrained(file)), chatTemplate };
    const before = [...pretrained.model.namedModules().keys()];
    const failing = { onEpochEnd: () => Promise.reject(new Error("no more room")) };
    const more = { epochs: 1, rematerialize: true };
    await expect(
      finetune(pretrained, conversations, { ...common, ...more, callbacks: [failing] }),
    ).rejects.toThrow("no more room");
    expect([...pretrained.model.namedModules().keys()]).toEqual(before);
    expect(pretrained.model.training).toBe(false);
    const { adapters } = await finetune(pretrained, conversations, { ...common, ...more });
    adapters!.remove();
    expect([...pretrained.model.namedModules().keys()]).toEqual(before);
  });

  test("options that mean nothing", async () => {
    const pretrained = await loadPretrained(file);
    const message = (options: object): Promise<string> =>
      finetune(pretrained, conversations, options).then(
        () => expect.unreachable(),
        (error: Error) => error.message,
      );
    const rows = [
      { method: "lra" },
      { method: "full", rank: 4 },
      { validationSplit: 1 },
      { maxLength: 1 },
      { useDora: true },
      { targetModules: ["q_prj"] },
    ];
    expect(await inTurn(rows, message)).toMatchInlineSnapshot(`
      [
        "finetune: method must be one of "lora", "dora", "adapter", "prompt", "full", got "lra"",
        "finetune: rank is an option of low-rank adapters, which method "full" has none of",
        "finetune: validationSplit must be in [0, 1), got 1",
        "packTokens: maxLength must be an integer of at least 2, got 1",
        "finetune: there is no option "useDora"; did you mean "useRslora"?",
        "loraAdapters: no linear layer of Llama is called "q_prj"; did you mean "q_proj"? There are: q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj, lm_head",
      ]
    `);
  });
});
