/** Published weights and a model's names: prefixes that files leave out, tables that are no weights, heads of other tasks. */
import type { PretrainedConfig } from "../models/index.ts";
import { huggingFaceNames } from "../models/vit-names.ts";
import type { Module } from "../nn/index.ts";
import type { Weights } from "./weights.ts";

interface Layout {
  /** Of the names below the heads: files of models without a head, and old ones, leave it out. */
  readonly prefix?: string;
  /** Tables that a model computes itself, and what no computation uses. */
  readonly unused?: RegExp;
  /** Names that are other tasks' heads begin so. */
  readonly heads?: readonly string[];
}

/** By `model_type`. */
const layouts: Readonly<Record<string, Layout>> = {
  bert: {
    prefix: "bert.",
    unused: /(^|\.)position_ids$|^cls\.seq_relationship\./,
    heads: ["cls.", "classifier.", "bert.pooler."],
  },
  roberta: {
    prefix: "roberta.",
    unused: /(^|\.)position_ids$/,
    heads: ["lm_head.", "classifier.", "roberta.pooler."],
  },
  distilbert: { prefix: "distilbert.", heads: ["vocab_", "pre_classifier.", "classifier."] },
  // Files of models without an output layer leave the prefix out.
  ...Object.fromEntries(
    ["llama", "mistral", "qwen2", "qwen3", "gemma2", "gemma3_text", "phi3"].map((type) => [
      type,
      { prefix: "model." },
    ]),
  ),
  gpt2: { prefix: "transformer.", unused: /(^|\.)attn\.(masked_)?bias$/ },
  t5: { unused: /EncDecAttention\.relative_attention_bias/ },
};

/** Old files of TensorFlow's say so. */
const oldNames: readonly (readonly [RegExp, string])[] = [
  [/LayerNorm\.gamma$/, "LayerNorm.weight"],
  [/LayerNorm\.beta$/, "LayerNorm.bias"],
];

export interface FittedWeights {
  readonly weights: Weights;
  /** Names in the file that this model has no use for: heads of other tasks. */
  readonly leftOut: readonly string[];
}

/** The weights of a file under the model's names; what cannot be placed keeps its own, which loading then refuses. */
export function fittedWeights(model: Module, config: PretrainedConfig, given: Weights): FittedWeights {
  const type = config.string("model_type");
  const { prefix = "", unused, heads = [] } = layouts[type] ?? {};
  const wanted = new Set(model.stateDict().keys());
  const hasHead = (head: string): boolean => [...wanted].some((name) => name.startsWith(head));
  const others = heads.filter((head) => !hasHead(head));
  const weights: Weights = new Map();
  const leftOut: string[] = [];
  for (const [name, value] of type === "vit" ? huggingFaceNames.toOurs(given) : given) {
    const plain = oldNames.reduce((text, [old, now]) => text.replace(old, now), name);
    const stripped = plain.startsWith(prefix) ? plain.slice(prefix.length) : plain;
    const placed = [plain, prefix + plain, stripped].find((candidate) => wanted.has(candidate));
    if (placed !== undefined) weights.set(placed, value);
    else if (unused?.test(plain) || (plain === "lm_head.weight" && !wanted.has(plain))) continue;
    else if (others.some((head) => plain.startsWith(head) || (prefix + plain).startsWith(head)))
      leftOut.push(name);
    else weights.set(plain, value);
  }
  return { weights, leftOut };
}

/** Names of a model's head, which may begin anew: those that are not below the family's prefix. */
export function headNames(model: Module, config: PretrainedConfig): string[] {
  const { prefix = "", heads = [] } = layouts[config.string("model_type")] ?? {};
  return [...model.stateDict().keys()].filter(
    (name) => !name.startsWith(prefix) || heads.some((head) => name.startsWith(head)),
  );
}
