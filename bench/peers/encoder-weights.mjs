/** First weights of the transformers by the formula, under PyTorch's names and in its shapes: what `torch_transformer.py` fills. */
import { hashedUniform } from "../../build/bench/data.js";

const weightLimit = 0.05;

/** @typedef {Extract<import("../protocol.ts").Work, { kind: "transformer" | "vit" }>} EncoderWork */

/** @param {EncoderWork} work @returns {Map<string, readonly number[]>} */
function shapesOf(work) {
  const { layers, width, hidden, classes } = work;
  const shapes = new Map();
  const linear = (name, inputs, outputs) => {
    shapes.set(`${name}.weight`, [outputs, inputs]);
    shapes.set(`${name}.bias`, [outputs]);
  };
  const norm = (name) => {
    shapes.set(`${name}.weight`, [width]);
    shapes.set(`${name}.bias`, [width]);
  };
  for (let i = 0; i < layers; i++) {
    const layer = `encoder.layers.${i}`;
    shapes.set(`${layer}.self_attn.in_proj_weight`, [3 * width, width]);
    shapes.set(`${layer}.self_attn.in_proj_bias`, [3 * width]);
    linear(`${layer}.self_attn.out_proj`, width, width);
    linear(`${layer}.linear1`, width, hidden);
    linear(`${layer}.linear2`, hidden, width);
    norm(`${layer}.norm1`);
    norm(`${layer}.norm2`);
  }
  norm("encoder.norm");
  linear("head", width, classes);
  if (work.kind === "vit") {
    const { channels, patchSize, imageSize } = work;
    shapes.set("patches.weight", [width, channels, patchSize, patchSize]);
    shapes.set("patches.bias", [width]);
    shapes.set("positions.weight", [(imageSize / patchSize) ** 2, width]);
  } else {
    shapes.set("tokens.weight", [work.vocabulary, width]);
    shapes.set("positions.weight", [work.length, width]);
  }
  return shapes;
}

/**
 * Each weight's seed is the place of its name among all; norms are ones, biases zeros.
 * @param {EncoderWork} work
 * @returns {{ name: string; shape: readonly number[]; values: Float32Array }[]}
 */
export function encoderWeights(work) {
  const sorted = [...shapesOf(work)].sort(([a], [b]) => (a < b ? -1 : 1));
  return sorted.map(([name, shape], i) => {
    const count = shape.reduce((a, b) => a * b, 1);
    const constant = name.includes("norm") && name.endsWith("weight") ? 1 : 0;
    const values = shape.length > 1 ? hashedUniform(i + 1, count, weightLimit) : new Float32Array(count).fill(constant);
    return { name, shape, values };
  });
}
