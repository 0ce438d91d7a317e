/**
 * A language model from nothing: it reads what words mean and learns to write such lines, character by character or by pieces of words.
 *
 *     npm run gpt                                                     letters, a small model: minutes on a laptop
 *     npm run gpt -- --layers 6 --heads 6 --width 384 --context 256   nanoGPT's model
 *     npm run gpt -- --tokens bpe --all --precision bf16              a larger text, pieces of words, products in 16 bits
 *     npm run gpt -- --dtype bf16                                     weights lie in memory in 16 bits
 *     npm run gpt -- --checkpoint gpt.safetensors --resume            goes on where it was stopped, bit for bit
 *
 * The text is WordNet's: a line a meaning, 1.1 MB of it as Shakespeare's plays in nanoGPT, all parts of speech with --all. Lines are
 * packed into rows one after another; none sees another. The last tenth is held out.
 */
import { parseArgs } from "node:util";
import { device, type Tensor } from "netwright";
import { arrayDataset, type Dataset } from "netwright/data";
import { rematerializeLayers } from "netwright/finetune";
import { generateTokens } from "netwright/generate";
import { crossEntropy } from "netwright/losses";
import { GPT2 } from "netwright/models";
import { Module, storeWeights } from "netwright/nn";
import { adamw, cosine, stochasticRounding, warmup } from "netwright/optim";
import { loadTokenizer, trainBpe } from "netwright/text";
import { type Callback, evaluate, fit } from "netwright/train";
import { wordNet } from "./support/wordnet.ts";

const { values: flags } = parseArgs({
  options: {
    ...{ tokens: { type: "string", default: "char" }, vocabulary: { type: "string", default: "2048" } },
    ...{ all: { type: "boolean", default: false }, characters: { type: "string", default: "1115394" } },
    ...{ layers: { type: "string", default: "4" }, heads: { type: "string", default: "4" } },
    ...{ width: { type: "string", default: "128" }, context: { type: "string", default: "64" } },
    ...{ batch: { type: "string", default: "12" }, accumulate: { type: "string", default: "1" } },
    ...{ steps: { type: "string", default: "2000" }, rate: { type: "string", default: "1e-3" } },
    ...{ dropout: { type: "string", default: "0" }, seed: { type: "string", default: "0" } },
    ...{ precision: { type: "string", default: "f32" }, dtype: { type: "string", default: "f32" } },
    ...{ rematerialize: { type: "boolean", default: false } },
    ...{ every: { type: "string", default: "250" }, peak: { type: "string" } },
    ...{ checkpoint: { type: "string" }, resume: { type: "boolean", default: false } },
  },
});
const number = (name: keyof typeof flags): number => {
  const value = Number(flags[name]);
  if (!(value >= 0)) throw new Error(`--${name} must be a number, got ${JSON.stringify(flags[name])}`);
  return value;
};
const say = (line: string): void => void process.stdout.write(`${line}\n`);
const [context, batchSize, accumulate, steps] = (["context", "batch", "accumulate", "steps"] as const).map(
  number,
) as [number, number, number, number];

// ---- text ------------------------------------------------------------------------------------------------------

const parts = flags.all ? (["noun", "verb", "adj", "adv"] as const) : (["noun"] as const);
const everything = parts
  .flatMap((part) => wordNet(part))
  .map(({ words, definition }) => `${words[0]}: ${definition}`);
const most = flags.all ? Number.POSITIVE_INFINITY : number("characters");
const lines: string[] = [];
// Every n-th line, so that a part of the text is of all of it.
const total = everything.reduce((sum, line) => sum + line.length + 1, 0);
const stride = Math.max(1, Math.floor(total / most));
for (let i = 0, size = 0; i < everything.length && size < most; i += stride) {
  lines.push(everything[i]!);
  size += everything[i]!.length + 1;
}

interface Codec {
  readonly size: number;
  readonly end: number;
  encode(line: string): readonly number[];
  decode(ids: readonly number[]): string;
}

/** A number a character; 0 ends a line. */
function characterCodec(): Codec {
  const characters = ["\n", ...[...new Set(lines.join(""))].sort()];
  const ids = new Map(characters.map((character, i) => [character, i]));
  return {
    size: characters.length,
    end: 0,
    encode: (line) => Array.from(line, (character) => ids.get(character)!),
    decode: (list) => list.map((id) => characters[id]).join(""),
  };
}

async function pieceCodec(): Promise<Codec> {
  const end = "<|end|>";
  const file = await trainBpe(lines, { vocabularySize: number("vocabulary"), specialTokens: [end] });
  const tokenizer = await loadTokenizer(file);
  return {
    size: number("vocabulary"),
    end: tokenizer.encode(end, { addSpecialTokens: false }).ids[0]!,
    encode: (line) => tokenizer.encode(line, { addSpecialTokens: false }).ids,
    decode: (ids) => tokenizer.decode(ids),
  };
}

const codec = flags.tokens === "bpe" ? await pieceCodec() : characterCodec();

/** Rows of `context` tokens with their targets, the number of each token's line and its position there. */
function packed(part: readonly string[]): Dataset {
  const stream: [token: number, line: number, position: number][] = [];
  for (const [i, line] of part.entries())
    for (const [position, id] of [codec.end, ...codec.encode(line)].entries())
      stream.push([id, i + 1, Math.min(position, context - 1)]);
  const rows = Math.floor((stream.length - 1) / context);
  const column = (of: (at: number) => number) => ({
    dtype: "i32" as const,
    shape: [rows, context],
    data: Int32Array.from({ length: rows * context }, (_, i) => of(i)),
  });
  return arrayDataset({
    tokens: column((i) => stream[i]![0]),
    documents: column((i) => stream[i]![1]),
    positions: column((i) => stream[i]![2]),
    // What begins a line follows the one before it: its end.
    labels: column((i) => stream[i + 1]![0]),
  }) as Dataset;
}

const held = Math.floor(lines.length / 10);
const train = packed(lines.slice(0, -held));
const validation = packed(lines.slice(-held));

// ---- model -----------------------------------------------------------------------------------------------------

const gpt = new GPT2({
  ...{ vocabSize: codec.size, hiddenSize: number("width"), numLayers: number("layers") },
  ...{ numHeads: number("heads"), maxPositions: context },
  ...{ dropout: number("dropout"), attentionDropout: number("dropout") },
});

if (flags.dtype !== "f32") storeWeights(gpt, flags.dtype as "bf16");
if (flags.rematerialize) rematerializeLayers(gpt);

class Packed extends Module {
  readonly gpt = gpt;
  forward(tokens: Tensor, documents: Tensor, positions: Tensor): Tensor {
    return this.gpt.forward(tokens, { documents, positions });
  }
}
const network = new Packed();
const parameters = [...gpt.namedParameters()];
const count = (of: typeof parameters): number =>
  of.reduce((sum, [, { shape }]) => sum + (shape as number[]).reduce((a, b) => a * b, 1), 0);
const bytes = parameters.reduce((sum, pair) => sum + count([pair]) * (pair[1].dtype === "f32" ? 4 : 2), 0);
const inProducts = count(parameters.filter(([path]) => !/wpe/.test(path)));
// 6 operations a weight and token; and attention, twice forward and twice as much backward for queries with keys and with values.
const flopPerToken = 6 * inProducts + 12 * number("layers") * number("width") * context;

// ---- training --------------------------------------------------------------------------------------------------

const perStep = batchSize * accumulate * context;
const stepsPerEpoch = Math.ceil(train.length / (batchSize * accumulate));
const epochs = Math.max(1, Math.ceil(steps / stepsPerEpoch));
say(
  `${lines.length} lines, ${train.length * context} tokens of ${codec.size} kinds to train on, ${validation.length * context} held out`,
);
say(
  `${count(parameters)} parameters in ${(bytes / 1e6).toFixed(2)} MB; ${epochs * stepsPerEpoch} steps of ${perStep} tokens, ${epochs} times over the text`,
);

/** A line that the model writes, from its beginning. */
async function sample(key: number): Promise<string> {
  const ids: number[] = [];
  const options = { maxNewTokens: context - 1, temperature: 0.8, topK: 40, endTokens: [codec.end], key };
  for await (const id of generateTokens(gpt, [codec.end], options)) if (id !== codec.end) ids.push(id);
  return codec.decode(ids).trim();
}

/** FLOP a second that a product reaches here, what the model's are compared with. */
const peak = flags.peak === undefined ? undefined : number("peak") * 1e9;
let [since, done] = [performance.now(), 0];
const teller: Callback = {
  async onStepEnd({ loss, learningRate }, { step }) {
    done++;
    if (step % number("every") !== 0) return;
    const rate = (perStep * done * 1000) / (performance.now() - since);
    const use =
      peak === undefined ? "" : `, ${((100 * rate * flopPerToken) / peak).toFixed(1)} % of the peak`;
    const flop = `${((rate * flopPerToken) / 1e9).toFixed(1)} GFLOP/s${use}`;
    say(
      `step ${step}: loss ${loss.toFixed(4)}, rate ${learningRate.toExponential(1)}, ${Math.round(rate)} tokens/s, ${flop}`,
    );
    gpt.eval();
    say(`  ${await sample(step)}`);
    gpt.train();
    [since, done] = [performance.now(), 0];
  },
};

const rising = Math.max(1, Math.round(0.02 * steps));
const rate = number("rate");
const objective = {
  inputs: ["tokens", "documents", "positions"],
  labels: "labels",
  loss: crossEntropy,
} as const;
await fit(network, train, {
  ...objective,
  optimizer: adamw({
    learningRate: warmup(
      rising,
      cosine({ from: rate, to: rate / 10, steps: epochs * stepsPerEpoch - rising }),
    ),
    // Of weights in 16 bits: steps are smaller than what is between two of them.
    ...{ weightDecay: 0.1, rounding: stochasticRounding },
  }),
  ...{ epochs, batchSize, gradientAccumulationSteps: accumulate, seed: number("seed"), clipNorm: 1 },
  ...{ precision: flags.precision as "f32", callbacks: [teller], progress: "none", resume: flags.resume },
  ...(flags.checkpoint !== undefined && {
    checkpoint: { path: flags.checkpoint, everySteps: number("every") },
  }),
});
gpt.eval();
const { loss } = await evaluate(network, validation, { ...objective, batchSize });
const unit = flags.tokens === "bpe" ? "token" : "character";
say(
  `held out: ${Number(loss).toFixed(4)} nats a ${unit}, ${(Number(loss) / Math.LN2).toFixed(3)} bits, on ${device().target}`,
);
for (let i = 1; i <= 3; i++) say(`  ${await sample(1_000_000 + i)}`);
