/** What is measured: each workload is a list of cases, each case one piece of work and how to state its speed. */
import type { ElementaryFunction, GptWork, Work, WorkOf } from "./protocol.ts";

export interface Case {
  /** "matmul/512/tn": the workload first, then what distinguishes the case. */
  readonly id: string;
  readonly workload: string;
  readonly title: string;
  readonly work: Work;
  readonly unit: Unit;
  /** Floating-point operations or bytes of one iteration, by unit; 1 for times. */
  readonly amount: number;
}

export type Unit = "µs" | "GFLOP/s" | "GB/s";

/** Whether a larger number is a better one. */
export const isRate = (unit: Unit): boolean => unit !== "µs";

/** A time of one iteration in the case's unit. */
export const inUnit = ({ unit, amount }: Pick<Case, "unit" | "amount">, seconds: number): number =>
  unit === "µs" ? seconds * 1e6 : amount / seconds / 1e9;

const F32_BYTES = 4;
/** AdamW reads parameter, gradient and both moments, and writes all but the gradient. */
const ADAMW_BYTES = 7 * F32_BYTES;

export const mlpWork: Work = {
  kind: "mlp",
  sizes: [784, 64, 64, 10],
  batchSize: 32,
  learningRate: 1e-3,
  batches: 256,
};

const gptWork: GptWork = {
  kind: "gpt",
  layers: 4,
  heads: 4,
  width: 128,
  context: 64,
  vocabulary: 65,
  batchSize: 12,
  learningRate: 1e-3,
  weightDecay: 0.01,
  batches: 64,
};

const encoder = { layers: 4, heads: 8, width: 256, hidden: 1024, learningRate: 1e-3, weightDecay: 0.01 };

const transformerWork: Work = {
  ...{
    kind: "transformer",
    ...encoder,
    length: 128,
    vocabulary: 1000,
    classes: 10,
    batchSize: 16,
    batches: 8,
  },
};

const vitWork: Work = {
  ...{ kind: "vit", ...encoder, width: 192, hidden: 768, heads: 6 },
  ...{ imageSize: 64, patchSize: 8, channels: 3, classes: 100, batchSize: 16, batches: 8 },
};

/** Two products a head forward; backward two and five more, the scores once again among them. */
function attentionCases(causal: boolean): Case[] {
  const sizes = { batch: 1, heads: 8, length: 2048, size: 64, causal };
  const { batch, heads, length, size } = sizes;
  const forward = 4 * batch * heads * length ** 2 * size * (causal ? 0.5 : 1);
  const title = `${heads} heads of ${size}, length ${length}${causal ? ", causal" : ""}`;
  const id = `attention/${length}${causal ? "/causal" : ""}`;
  const common = { workload: "attention", unit: "GFLOP/s" } as const;
  return [
    { ...common, id, title, work: { kind: "attention", ...sizes }, amount: forward },
    {
      ...{ ...common, id: `${id}/backward`, title: `${title}, with gradients` },
      ...{ work: { kind: "attention-backward", ...sizes }, amount: 3.5 * forward },
    },
  ];
}

const resnetWork: WorkOf<"resnet"> = {
  kind: "resnet",
  layers: 18,
  imageSize: 64,
  classes: 10,
  batchSize: 16,
  learningRate: 1e-4,
  batches: 4,
};

/** The parameters of a GPT with untied head: 4 + 12 a layer. */
function gptShapes(layers: number, width: number, vocabulary: number, context: number): number[][] {
  const norm = [[width], [width]];
  const linear = (outputs: number, inputs: number): number[][] => [[outputs, inputs], [outputs]];
  const block = [
    ...norm,
    ...linear(3 * width, width),
    ...linear(width, width),
    ...norm,
    ...linear(4 * width, width),
    ...linear(width, 4 * width),
  ];
  const blocks = Array.from({ length: layers }, () => block).flat();
  return [[vocabulary, width], [context, width], ...blocks, ...norm];
}

const elementsOf = (shapes: readonly (readonly number[])[]): number =>
  shapes.reduce((sum, shape) => sum + shape.reduce((a, b) => a * b, 1), 0);

const modelShapes = gptShapes(12, 256, 2048, 256);

/** A training step over sequences of a length. */
const lstm = (length: number): Case => ({
  id: `lstm/${length}`,
  workload: "lstm",
  title: `128 units, 32×${length} steps, training step`,
  work: { kind: "lstm", inputSize: 128, hiddenSize: 128, length, batchSize: 32, learningRate: 0.5 },
  unit: "µs",
  amount: 1,
});

/** A training step whose compiling is timed, in at most so many rounds. */
export interface CompileCase {
  readonly id: string;
  readonly title: string;
  readonly work: Work;
  readonly mostRounds: number;
}

export const compileCases: readonly CompileCase[] = [
  // About a thousand nodes.
  {
    id: "gpt",
    title: "GPT of 2 layers, AdamW",
    work: { ...gptWork, layers: 2, batches: 1 },
    mostRounds: Infinity,
  },
  {
    id: "resnet50",
    title: "ResNet-50 at 64×64, Adam",
    work: { ...resnetWork, layers: 50, batches: 1 },
    mostRounds: 3,
  },
  ...[64, 1024].map((length) => ({
    id: `lstm/${length}`,
    title: `LSTM, length ${length}`,
    work: lstm(length).work,
    mostRounds: 5,
  })),
];

/** A million elements: they stay in the second- or third-level cache, so that arithmetic is seen. */
const elementary = (name: ElementaryFunction, limit: number): Case => ({
  ...streamed("elementwise", `${name}, 1 M`, {
    kind: "elementwise",
    function: name,
    elements: 2 ** 20,
    limit,
  }),
  id: `elementwise/${name}`,
});

const streamed = (workload: string, title: string, work: Work): Case => ({
  id: workload,
  workload,
  title,
  work,
  unit: "GB/s",
  amount: bytesMoved(work) ?? 0,
});

/** What must pass through memory in one iteration: inputs read once, results written once; undefined where arithmetic counts. */
export function bytesMoved(work: Work): number | undefined {
  switch (work.kind) {
    case "softmax":
    case "layernorm":
      return 2 * F32_BYTES * work.rows * work.columns;
    case "layernorm-backward":
      return 3 * F32_BYTES * work.rows * work.columns;
    case "gelu":
    case "elementwise":
      return 2 * F32_BYTES * work.elements;
    case "triad":
      return 3 * F32_BYTES * work.elements;
    case "adamw":
      return ADAMW_BYTES * work.elements;
    case "adamw-model":
      return ADAMW_BYTES * elementsOf(work.shapes);
    default:
      return undefined;
  }
}

/** Products that one function chains where one alone would be mostly its call. */
const chained = 20;

/** A product, or the form of it that one of its gradients has. */
type Order = "nn" | "tn" | "nt";
const orders: readonly Order[] = ["nn", "tn", "nt"];
type ProductShape = Pick<WorkOf<"matmul">, "batch" | "rows" | "inner" | "columns">;

/** What code reaches inside a program: a chain of products in one function. */
const chain = (single: Case): Case => ({
  ...single,
  id: single.id.replace("matmul/", `matmul/${chained}x`),
  title: `a chain of ${chained}, ${single.title}`,
  work: { ...(single.work as WorkOf<"matmul">), products: chained },
  amount: chained * single.amount,
});

const matmul = (size: number, order: Order): Case => ({
  ...product({ batch: 1, rows: size, inner: size, columns: size }, order),
  id: `matmul/${size}/${order}`,
  title: `${size}³ ${orderTitles[order]}`,
});

const orderTitles = { nn: "A·B", tn: "Aᵀ·B", nt: "A·Bᵀ" };

function product(shape: ProductShape, order: Order): Case {
  const { batch, rows, inner, columns } = shape;
  const matrices = batch > 1 ? `${batch}×` : "";
  return {
    id: `matmul/${batch > 1 ? `${batch}x` : ""}${rows}x${inner}x${columns}/${order}`,
    workload: "matmul",
    title: `${matrices}(${rows}×${inner} by ${inner}×${columns}) ${orderTitles[order]}`,
    work: { kind: "matmul", products: 1, ...shape, transposeA: order === "tn", transposeB: order === "nt" },
    unit: "GFLOP/s",
    amount: 2 * batch * rows * inner * columns,
  };
}

/** A layer of a small classifier, the heads of a small transformer's attention. */
const productShapes: readonly ProductShape[] = [
  { batch: 1, rows: 32, inner: 784, columns: 64 },
  { batch: 64, rows: 64, inner: 32, columns: 64 },
  { batch: 64, rows: 32, inner: 32, columns: 32 },
  { batch: 64, rows: 64, inner: 64, columns: 64 },
  { batch: 16, rows: 128, inner: 128, columns: 128 },
];

/** A linear layer whose activations and weights are integers of eight bits. */
const byteProduct = (rows: number, inner: number, columns: number): Case => ({
  id: `matmul/bytes/${rows}x${inner}x${columns}`,
  workload: "matmul",
  title: `${rows}×${inner} by ${inner}×${columns} A·Bᵀ, 8-bit integers`,
  work: { kind: "matmul-bytes", rows, inner, columns },
  unit: "GFLOP/s",
  amount: 2 * rows * inner * columns,
});

/**
 * One row, or a few, by a matrix of 64 MiB, which no cache holds: what counts is how fast memory is read. `nt` is a linear layer
 * with PyTorch's weight, decoding so many tokens side by side.
 */
const matrixVector = (rows: number, order: "nn" | "nt"): Case => ({
  id: rows === 1 && order === "nn" ? "matvec" : `matvec/${rows}/${order}`,
  workload: "matvec",
  title: `${rows}×4096 by 4096×4096${order === "nt" ? ", A·Bᵀ" : ""}`,
  work: product({ batch: 1, rows, inner: 4096, columns: 4096 }, order).work,
  unit: "GB/s",
  amount: F32_BYTES * (4096 * 4096 + 2 * rows * 4096),
});

export const cases: readonly Case[] = [
  {
    id: "machine/multiply-add",
    workload: "machine",
    title: "multiply, then add",
    work: { kind: "peak", fused: false, isa: "wasm" },
    unit: "GFLOP/s",
    amount: 0,
  },
  {
    id: "machine/fused",
    workload: "machine",
    title: "fused multiply-add",
    work: { kind: "peak", fused: true, isa: "wasm" },
    unit: "GFLOP/s",
    amount: 0,
  },
  ...(["avx2", "avx512"] as const).map(
    (isa): Case => ({
      id: `machine/${isa}`,
      workload: "machine",
      title: `fused multiply-add, ${isa === "avx2" ? "AVX2" : "AVX-512"}`,
      work: { kind: "peak", fused: true, isa },
      unit: "GFLOP/s",
      amount: 0,
    }),
  ),
  { ...matmul(2048, "nn"), id: "machine/matmul-2048", workload: "machine", title: "matmul 2048³" },
  {
    ...streamed("machine", "triad 3 × 64 MiB", { kind: "triad", elements: 2 ** 24 }),
    id: "machine/triad",
  },
  { id: "mlp", workload: "mlp", title: "784-64-64-10, batch 32", work: mlpWork, unit: "µs", amount: 1 },
  {
    id: "cnn",
    workload: "cnn",
    title: "convolutions 32 and 64, batch 64",
    work: {
      kind: "cnn",
      channels: [32, 64],
      hidden: 128,
      classes: 10,
      batchSize: 64,
      learningRate: 1e-4,
      batches: 8,
    },
    unit: "µs",
    amount: 1,
  },
  {
    id: "resnet",
    workload: "resnet",
    title: "ResNet-18, 16 images of 64×64",
    work: resnetWork,
    unit: "µs",
    amount: 1,
  },
  {
    id: "call",
    workload: "call",
    title: "a compiled x + 1 of 16 numbers",
    work: { kind: "call", elements: 16 },
    unit: "µs",
    amount: 1,
  },
  ...[32, 64, 128, 256, 512, 1024].flatMap((size) => orders.map((order) => matmul(size, order))),
  ...[32, 64, 128].flatMap((size) => orders.map((order) => chain(matmul(size, order)))),
  matmul(2048, "nn"),
  matmul(4096, "nn"),
  ...productShapes.flatMap((shape) => orders.map((order) => product(shape, order))),
  byteProduct(512, 512, 512),
  byteProduct(64, 4096, 4096),
  matrixVector(1, "nn"),
  matrixVector(1, "nt"),
  matrixVector(8, "nt"),
  streamed("softmax", "4096×512", { kind: "softmax", rows: 4096, columns: 512 }),
  streamed("layernorm", "4096×768", { kind: "layernorm", rows: 4096, columns: 768, epsilon: 1e-5 }),
  {
    ...streamed("layernorm", "4096×768 backward", {
      kind: "layernorm-backward",
      rows: 4096,
      columns: 768,
      epsilon: 1e-5,
    }),
    id: "layernorm/backward",
  },
  streamed("gelu", "10 M, erf", { kind: "gelu", elements: 1e7 }),
  streamed("adamw", "10 M parameters", {
    kind: "adamw",
    elements: 1e7,
    learningRate: 1e-3,
    weightDecay: 0.01,
  }),
  {
    ...streamed(
      "adamw",
      `${modelShapes.length} parameters, ${(elementsOf(modelShapes) / 1e6).toFixed(1)} M numbers`,
      { kind: "adamw-model", shapes: modelShapes, learningRate: 1e-3, weightDecay: 0.01 },
    ),
    id: "adamw/model",
  },
  elementary("exp", 10),
  elementary("log", 10),
  elementary("tanh", 4),
  elementary("erf", 4),
  elementary("sin", 10),
  elementary("cos", 10),
  elementary("pow", 10),
  lstm(64),
  lstm(1024),
  {
    id: "lstm/forward",
    workload: "lstm",
    title: "128 units, 32×64 steps, outputs alone",
    work: { kind: "lstm-forward", inputSize: 128, hiddenSize: 128, length: 64, batchSize: 32 },
    unit: "µs",
    amount: 1,
  },
  {
    id: "gpt-small",
    workload: "gpt-small",
    title: "4 layers, 4 heads, width 128, 12×64 tokens",
    work: gptWork,
    unit: "µs",
    amount: 1,
  },
  {
    id: "gpt-small/nano",
    workload: "gpt-small",
    title: "6 layers, 6 heads, width 384, 8×256 tokens",
    work: { ...gptWork, layers: 6, heads: 6, width: 384, context: 256, batchSize: 8, batches: 8 },
    unit: "µs",
    amount: 1,
  },
  {
    id: "transformer",
    workload: "transformer",
    title: "encoder of 4 layers, 8 heads, width 256, 16×128 tokens",
    work: transformerWork,
    unit: "µs",
    amount: 1,
  },
  {
    id: "vit",
    workload: "vit",
    title: "ViT of 4 layers, 6 heads, width 192, 16 images of 64×64 in patches of 8",
    work: vitWork,
    unit: "µs",
    amount: 1,
  },
  ...attentionCases(false),
  ...attentionCases(true),
  {
    id: "inference/mlp",
    workload: "inference",
    title: "784-64-64-10, batch 32",
    work: { kind: "mlp-forward", sizes: [784, 64, 64, 10], batchSize: 32 },
    unit: "µs",
    amount: 1,
  },
  {
    id: "inference/gpt-small",
    workload: "inference",
    title: "GPT of 4 layers, width 128, 12×64 tokens",
    work: { ...gptWork, kind: "gpt-forward" },
    unit: "µs",
    amount: 1,
  },
];

/** The last six are no cases: they start processes of their own (`startup.ts`, `compile.ts`, `generate.ts`, `csv.ts`, `image-pipeline.ts`), or time nothing (`search.ts`). */
export const workloads: readonly string[] = [
  ...new Set(cases.map(({ workload }) => workload)),
  "startup",
  "compile",
  "generate",
  "csv",
  "search",
  "image-pipeline",
];

/** The cases that the words choose: a workload, or the beginning of a case's id ("matmul/512"). */
export const casesFor = (words: readonly string[]): readonly Case[] =>
  cases.filter(({ id }) => words.some((word) => id === word || id.startsWith(`${word}/`)));
