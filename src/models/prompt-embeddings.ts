/** Vectors that are learnt in place of a prompt's words. */

import type { RandomKey } from "../base/random.ts";
import { Adapter, type Embedding, initializers, Parameter } from "../nn/index.ts";
import { stopGradient, type Tensor, tensor, where } from "../tensor/index.ts";

/** Under which a table of embeddings has them. */
const adapterName = "prompt";

/** A model's table of embeddings, and what the model multiplies its rows by. */
export interface WordEmbeddings {
  readonly table: Embedding;
  readonly scale: number;
}

export interface PromptEmbeddingsInit {
  readonly count: number;
  /** Of first values, which are normal. */
  readonly key: RandomKey;
  /** Tokens whose embeddings are the first values instead, over and over. */
  readonly tokens?: readonly number[] | undefined;
}

/**
 * Vectors that stand before each text as those of so many tokens. They have numbers behind the vocabulary's, so that whatever takes
 * tokens (caches, packed rows, batches of requests) takes them too.
 *
 * Made by `promptTuning`.
 *
 * @example
 * const model = new Llama({ vocabSize: 50, hiddenSize: 16, numLayers: 1, numHeads: 2, intermediateSize: 32 });
 * const prompt = promptTuning(model, { virtualTokens: 4 });
 * prompt instanceof PromptEmbeddings; // true
 * prompt.weight.shape; // [4, 16]
 */
export class PromptEmbeddings extends Adapter {
  /** (count, features) */
  readonly weight: Parameter;
  /** What stands before a text. */
  readonly tokens: readonly number[];
  private readonly words: WordEmbeddings;

  constructor(words: WordEmbeddings, { count, key, tokens = [] }: PromptEmbeddingsInit) {
    super();
    const { table, scale } = words;
    const shape = [count, table.embeddingDim];
    const data = (): Float32Array =>
      initializers.normal(0, 1)({ shape, fanIn: count, fanOut: table.embeddingDim, key });
    this.words = words;
    this.weight = new Parameter({ dtype: "f32", shape, data }, { name: "prompt_embeddings" });
    this.tokens = Array.from({ length: count }, (_, i) => table.numEmbeddings + i);
    if (tokens.length === 0) return;
    const ids = Int32Array.from({ length: count }, (_, i) => tokens[i % tokens.length]!);
    const rows = table.forward(tensor(ids) as Tensor).cast("f32");
    this.weight.assign(stopGradient(rows.mul(scale) as Tensor));
  }

  protected override *fields(): Iterable<readonly [string, unknown]> {
    yield ["prompt_embeddings", this.weight];
  }

  forward(inner: (ids: Tensor) => Tensor, ids: Tensor): Tensor {
    const { table, scale } = this.words;
    const isPrompt = ids.greaterEqual(table.numEmbeddings) as Tensor;
    const rows = (this.weight as Tensor).gather(
      where(isPrompt, ids.sub(table.numEmbeddings), 0) as Tensor,
      0,
    );
    // What is learnt is what the layers get.
    const own = (scale === 1 ? rows : rows.div(scale)) as Tensor;
    return where(isPrompt.expandDims(-1), own, inner(where(isPrompt, 0, ids) as Tensor)) as Tensor;
  }

  /** Puts them on their table. */
  add(): this {
    this.words.table.addAdapter(adapterName, this);
    return this;
  }

  /** Takes them off again: texts stand alone. */
  remove(): void {
    this.words.table.removeAdapter(adapterName);
  }
}

/**
 * The prompt that a table of embeddings has.
 *
 * @example
 * const model = new Llama({ vocabSize: 50, hiddenSize: 16, numLayers: 1, numHeads: 2, intermediateSize: 32 });
 * promptOf(model.wordEmbeddings().table); // undefined
 */
export function promptOf(table: Embedding): PromptEmbeddings | undefined {
  const found = table.children().get(adapterName);
  return found instanceof PromptEmbeddings ? found : undefined;
}
