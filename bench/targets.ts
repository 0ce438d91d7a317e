/** What Netwright must reach, held against a run's figures. */
import type { CompileResult } from "./compile.ts";
import type { WorkOf } from "./protocol.ts";
import { type BenchRecord, measured } from "./record.ts";
import { round3, table } from "./report.ts";

interface Target {
  readonly what: string;
  readonly bound: string;
  readonly value: string;
  readonly holds: boolean;
}

/** The parts of a peer's time that a training step may take. */
const STEP_SHARES = { "jax-js": 1 / 3, tfjs: 1 / 6 };
/** The least part of the register-only loop's speed in a product of 512³. */
const MATMUL_SHARE = 0.8;
const STARTUP_MS = 250;
/** For a step of a thousand nodes, the first in a process. */
const COMPILE_MS = 300;
const RESNET50_COMPILE_MS = 2000;
/** The same work; so much is the spread of medians. */
const LENGTH_SLACK = 1.15;
const TRACE_MICROSECONDS_A_NODE = 20;
const CALL_MICROSECONDS = 5;
/** Threads must not make a step slower; so much is the spread of medians. */
const THREADS_SLACK = 1.05;

/** Every target that this run has figures for. */
export function targetsOf(record: BenchRecord): readonly Target[] {
  return [
    ...stepTargets(record),
    ...threadTargets(record),
    ...matmulTargets(record),
    ...startupTargets(record),
    ...compileTargets(record),
    ...nativeTargets(record),
  ];
}

function stepTargets(record: BenchRecord): readonly Target[] {
  const own = measured(record, "mlp", "netwright", 1);
  return Object.entries(STEP_SHARES).flatMap(([peer, share]) => {
    const other = measured(record, "mlp", peer, 1);
    if (!own || !other) return [];
    const times = other.seconds.median / own.seconds.median;
    return [
      {
        what: `a training step, one thread, against ${other.contender} ${other.version}`,
        bound: `≥ ${Math.round(1 / share)} times as fast`,
        value: `${round3(times)} times`,
        holds: times >= 1 / share,
      },
    ];
  });
}

function threadTargets(record: BenchRecord): readonly Target[] {
  const single = measured(record, "mlp", "netwright", 1);
  const counts = [2, 4].map((threads) => measured(record, "mlp", "netwright", threads));
  return counts.flatMap((several) => {
    if (!single || !several) return [];
    const ratio = several.seconds.median / single.seconds.median;
    return [
      {
        what: `a training step with ${several.threads} threads, against one`,
        bound: "not slower",
        value: `${round3(ratio)}×`,
        holds: ratio <= THREADS_SLACK,
      },
    ];
  });
}

function matmulTargets(record: BenchRecord): readonly Target[] {
  return record.results.flatMap(({ id, title, peak }) => {
    const own = measured(record, id, "netwright", 1);
    if (!id.startsWith("matmul/512/") || !own || !peak) return [];
    const share = own.value.median / peak.median;
    return [
      {
        what: `${title}, one thread, of the register-only loop's ${round3(peak.median)} GFLOP/s`,
        bound: `≥ ${100 * MATMUL_SHARE} %`,
        value: `${round3(100 * share)} %`,
        holds: share >= MATMUL_SHARE,
      },
    ];
  });
}

function startupTargets({ startup }: BenchRecord): readonly Target[] {
  return startup
    .filter(({ contender }) => contender === "netwright")
    .map(({ milliseconds: { median } }) => ({
      what: "process start to first step done, one thread",
      bound: `≤ ${STARTUP_MS} ms`,
      value: `${round3(median)} ms`,
      holds: median <= STARTUP_MS,
    }));
}

function compileTargets({ compile }: BenchRecord): readonly Target[] {
  return [
    ...compile.filter(({ id }) => id === "gpt").flatMap(nodeTargets),
    ...compile
      .filter(({ id, nodes }) => id === "resnet50" && nodes !== undefined)
      .map(({ title, compileMs: { median } }) => ({
        what: `${title}: compiling ResNet-50's training step, the first model of a process`,
        bound: `≤ ${round3(RESNET50_COMPILE_MS)} ms`,
        value: `${round3(median)} ms`,
        holds: median <= RESNET50_COMPILE_MS,
      })),
    ...compile.filter(({ id }) => id === "lstm/64").flatMap((short) => lengthTargets(short, compile)),
  ];
}

function nodeTargets({ title, nodes, traceMs, compileMs }: CompileResult): readonly Target[] {
  if (nodes === undefined || traceMs === undefined) return [];
  const aNode = (1000 * traceMs.median) / nodes;
  const aThousand = (1000 * compileMs.median) / nodes;
  return [
    {
      what: `${title}: tracing a node, the first model of a process`,
      bound: `≤ ${TRACE_MICROSECONDS_A_NODE} µs`,
      value: `${round3(aNode)} µs`,
      holds: aNode <= TRACE_MICROSECONDS_A_NODE,
    },
    {
      what: `${title}: compiling a thousand nodes, the first model of a process`,
      bound: `≤ ${COMPILE_MS} ms`,
      value: `${round3(aThousand)} ms`,
      holds: aThousand <= COMPILE_MS,
    },
  ];
}

/**
 * Sixteen times as many steps in time are the same graph. A few kernels more may be: a product that sums over more than 4,096 steps
 * is cut into slices, which are added apart. What is read from disk is no compilation.
 */
function lengthTargets(short: CompileResult, compile: readonly CompileResult[]): readonly Target[] {
  const long = compile.find(({ id, contender }) => id === "lstm/1024" && contender === short.contender);
  if (long === undefined || short.nodes === undefined || short.contender.endsWith("-kept")) return [];
  const isSameGraph = long.nodes === short.nodes;
  const times = long.compileMs.median / short.compileMs.median;
  return [
    {
      what: `${short.title}: compiling an LSTM for length 1,024, against length 64`,
      bound: `≤ ${LENGTH_SLACK} times`,
      value: `${round3(times)} times${isSameGraph ? "" : `, ${long.nodes} nodes instead of ${short.nodes}`}`,
      holds: times <= LENGTH_SLACK && isSameGraph,
    },
  ];
}

interface NativeTimes {
  readonly id: string;
  readonly what: string;
  readonly peer: string;
  readonly times: number;
  /** Memory may be the limit: this part of the triad's bandwidth will do, too. */
  readonly ofTriad?: number;
  /** Products may be the limit: with this part of the multiply-add loop's speed a step cannot be much faster. */
  readonly ofPeak?: number;
}

/** Times as fast as a peer that machine code must be, at the same number of threads. */
const NATIVE_TIMES: readonly NativeTimes[] = [
  { id: "mlp", what: "a training step", peer: "torch", times: 3 },
  { id: "mlp", what: "a training step", peer: "tfjs", times: 10 },
  { id: "mlp", what: "a training step", peer: "jax-js", times: 10 },
  { id: "cnn", what: "a step of the convolutional network", peer: "torch", times: 1.3 },
  { id: "resnet", what: "a step of ResNet-18", peer: "torch", times: 1 },
  { id: "softmax", what: "softmax", peer: "torch", times: 2, ofTriad: 0.8 },
  { id: "layernorm", what: "layer norm", peer: "torch", times: 2, ofTriad: 0.8 },
  { id: "layernorm/backward", what: "layer norm's gradients", peer: "torch", times: 2, ofTriad: 0.8 },
  { id: "gelu", what: "GELU", peer: "torch", times: 2, ofTriad: 0.8 },
  { id: "gpt-small", what: "a step of the small GPT", peer: "torch", times: 1.5, ofPeak: 0.75 },
  { id: "gpt-small", what: "a step of the small GPT", peer: "torch-compile", times: 1.1 },
  { id: "transformer", what: "a step of the encoder", peer: "torch", times: 1 },
  { id: "vit", what: "a step of the ViT", peer: "torch", times: 1 },
  { id: "attention/2048", what: "attention", peer: "torch", times: 1 },
  { id: "attention/2048/backward", what: "attention and its gradients", peer: "torch", times: 1 },
  { id: "attention/2048/causal", what: "causal attention", peer: "torch", times: 1 },
  {
    id: "attention/2048/causal/backward",
    what: "causal attention and its gradients",
    peer: "torch",
    times: 1,
  },
];
/**
 * The least part of the multiply-add loop's speed in products: large ones on one thread, on all; on one thread also small
 * ones, and those with a side shorter than 64.
 */
const NATIVE_SHARES = { single: 0.84, all: 0.85, small: 0.85, narrow: 0.7 };

/** Updates are memory alone; so much less is the spread of samples. */
const ADAMW_SHARE = 0.95;
const ADAMW_CASES = [
  { id: "adamw", what: "AdamW, one tensor" },
  { id: "adamw/model", what: "AdamW, a model's tensors" },
];

/** More than the loop's own speed is a loop that was held up; so much is the spread of samples. */
const POSSIBLE_SHARE = 1.02;

function nativeTargets(record: BenchRecord): readonly Target[] {
  return [
    ...nativeTimes(record),
    ...nativeBandwidths(record),
    ...nativeShares(record),
    ...callTargets(record),
  ];
}

function callTargets(record: BenchRecord): readonly Target[] {
  const own = measured(record, "call", "netwright-x64", 1);
  if (!own) return [];
  return [
    {
      what: "machine code: a call with next to nothing to compute",
      bound: `≤ ${CALL_MICROSECONDS} µs`,
      value: `${round3(own.value.median)} µs`,
      holds: own.value.median <= CALL_MICROSECONDS,
    },
  ];
}

function nativeTimes(record: BenchRecord): readonly Target[] {
  return NATIVE_TIMES.flatMap(({ id, what, peer, times, ofTriad, ofPeak }) => {
    const [own, other] = ["netwright-x64", peer].map((key) => measured(record, id, key, 1));
    if (!own || !other) return [];
    const ratio = other.seconds.median / own.seconds.median;
    const limits = [
      { least: ofTriad, share: shareOfTriad(record, id), what: "the triad's bandwidth" },
      { least: ofPeak, share: shareOfPeak(record, id), what: "the multiply-add loop's speed" },
    ].flatMap(({ least, share, what }) =>
      least === undefined || share === undefined ? [] : [{ least, share, what }],
    );
    return [
      {
        what: `machine code: ${what}, one thread, against ${peer} ${other.version}`,
        bound: [`≥ ${times} times as fast`, ...limits.map((l) => `${100 * l.least} % of ${l.what}`)].join(
          " or ",
        ),
        value: [`${round3(ratio)} times`, ...limits.map((l) => `${round3(100 * l.share)} %`)].join(", "),
        holds: ratio >= times || limits.some((l) => l.share >= l.least),
      },
    ];
  });
}

/** Of the multiply-add loop's best sample on one thread, by the step's products alone. */
function shareOfPeak(record: BenchRecord, id: string): number | undefined {
  const work = record.results.find((result) => result.id === id)?.work;
  const own = measured(record, id, "netwright-x64", 1);
  const samples = record.results.flatMap((result) => {
    const loop = measured(record, result.id, "machine-x64", 1);
    return loop ? [loop.value.maximum] : [];
  });
  if (work?.kind !== "gpt" || !own || samples.length === 0) return undefined;
  return gptFlop(work) / own.seconds.median / 1e9 / Math.max(...samples);
}

/** Multiplications and additions of a training step's products: forward, and twice as many for the gradients. */
function gptFlop({ layers, width, context, vocabulary, batchSize }: WorkOf<"gpt">): number {
  const weights = 12 * layers * width ** 2 + width * vocabulary;
  const attention = 2 * layers * context * width;
  return 3 * 2 * batchSize * context * (weights + attention);
}

/** Of the bandwidth that the triad had beside it, on one thread, moving as many bytes. */
function shareOfTriad(record: BenchRecord, id: string): number | undefined {
  const [own, triad] = ["netwright-x64", "machine"].map((key) => measured(record, id, key, 1));
  return own && triad && own.value.median / triad.value.median;
}

function nativeBandwidths(record: BenchRecord): readonly Target[] {
  return ADAMW_CASES.flatMap(({ id, what }) => {
    const share = shareOfTriad(record, id);
    if (share === undefined) return [];
    return [
      {
        what: `machine code: ${what}, one thread, of the triad's bandwidth`,
        bound: `≥ ${100 * ADAMW_SHARE} %`,
        value: `${round3(100 * share)} %`,
        holds: share >= ADAMW_SHARE,
      },
    ];
  });
}

/** Small ones alone: what the code reaches is seen where one function has a chain of them. */
const isMostlyCall = ({ products, batch, rows, inner, columns }: WorkOf<"matmul">): boolean =>
  products === 1 && batch === 1 && rows <= 128 && inner <= 128 && columns <= 128;

function nativeShares(record: BenchRecord): readonly Target[] {
  return record.results.flatMap(({ id, title, work, workload }) => {
    if (workload !== "matmul" || work.kind !== "matmul" || isMostlyCall(work)) return [];
    const most = Math.max(
      ...record.results.flatMap(({ measurements }) => measurements.map(({ threads }) => threads)),
    );
    const smallest = Math.min(work.rows, work.inner, work.columns);
    const single =
      smallest >= 256 ? NATIVE_SHARES.single : smallest >= 64 ? NATIVE_SHARES.small : NATIVE_SHARES.narrow;
    const bounds = [
      { threads: 1, share: single },
      ...(smallest >= 128 && most > 1 ? [{ threads: most, share: NATIVE_SHARES.all }] : []),
    ];
    return bounds.flatMap(({ threads, share }) => {
      const [own, loop] = ["netwright-x64", "machine-x64"].map((key) => measured(record, id, key, threads));
      if (!own || !loop) return [];
      // A sample in which threads of the loop waited for a processor is no peak: the best one counts.
      const peak = loop.value.maximum;
      const part = own.value.median / peak;
      return [
        {
          what: `machine code: ${title}, ${threads} thread${threads > 1 ? "s" : ""}, of the multiply-add loop's ${round3(peak)} GFLOP/s`,
          bound: `≥ ${100 * share} %`,
          value:
            part > POSSIBLE_SHARE
              ? `${round3(100 * part)} %: the loop was held up, measure longer`
              : `${round3(100 * part)} %`,
          holds: part >= share && part <= POSSIBLE_SHARE,
        },
      ];
    });
  });
}

export function targetTable(record: BenchRecord): string {
  const rows = targetsOf(record).map(({ what, bound, value, holds }) => [
    what,
    bound,
    value,
    holds ? "yes" : "**no**",
  ]);
  return table(["what", "target", "measured", "holds"], rows);
}
