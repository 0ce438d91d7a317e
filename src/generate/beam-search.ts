/** The likeliest text instead of the likeliest token: several texts are followed at once. */
import { ArgumentError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";
import type { TokenReader } from "../models/index.ts";
import type { KeyValueCache } from "../nn/index.ts";
import { compile, type Tensor, tensor } from "../tensor/index.ts";
import { type Decoding, decodingFor } from "./decoding.ts";
import { adjustScores, checkSampling, logProbabilities, type ScoreOptions } from "./sampling.ts";

export interface BeamOptions {
  /** How many texts are followed at once; default 1, the likeliest token always. */
  readonly numBeams?: number;
  /** A text's score is the logarithm of its probability over (its new tokens)^lengthPenalty: above 0 favours long ones; default 1. */
  readonly lengthPenalty?: number;
  /**
   * When it ends. False, the default: when the best text that goes on would score less than all that are finished, if it ended now.
   * True: as soon as `numBeams` texts are finished. "never": when no text that goes on can score more.
   */
  readonly earlyStopping?: boolean | "never";
}

export interface BeamSearchOptions extends BeamOptions, ScoreOptions {
  /** How many texts are given, the best first; default 1, at most `numBeams`. */
  readonly numReturnSequences?: number;
  /** Default 256. */
  readonly maxNewTokens?: number;
  /** Tokens that end a text; they are not given, but count in its score and length. Default none. */
  readonly endTokens?: readonly number[];
  /** Where the prompt is read; by default one that is made for it. What it has read already must be the prompt's beginning. */
  readonly decoding?: Decoding;
}

export const beamOptionNames = ["numBeams", "lengthPenalty", "earlyStopping"] as const;

const optionNames = [
  ...beamOptionNames,
  ...["numReturnSequences", "maxNewTokens", "endTokens", "decoding"],
  ...["repetitionPenalty", "noRepeatNgramSize", "presencePenalty", "frequencyPenalty", "logitBias"],
];

/** A text that beam search found. */
export interface FoundText {
  /** What follows the prompt. */
  readonly tokens: readonly number[];
  /** The logarithm of its probability over length^lengthPenalty. */
  readonly score: number;
}

/** A text that is followed, or one token longer than such a one. */
interface Beam {
  readonly tokens: readonly number[];
  /** The logarithm of its probability. */
  readonly total: number;
  /** The row of caches that holds all but its last token. */
  readonly parent: number;
}

/**
 * The likeliest texts that follow a prompt, as far as `numBeams` that are followed at once find them. Step by step those of
 * Hugging Face's `generate(num_beams=…)`, which adjusts logarithms of probabilities by penalties and bias, not logits.
 *
 * @returns texts by falling score
 * @throws ArgumentError for an empty prompt, options that mean nothing, and a prompt that leaves no room
 * @example
 * const model = new Llama({ vocabSize: 50, hiddenSize: 16, numLayers: 1, numHeads: 2, intermediateSize: 32 });
 * const found = await beamSearch(model, [1, 2, 3], { numBeams: 4, numReturnSequences: 2, maxNewTokens: 5 });
 * found.map(({ tokens }) => tokens.length); // [5, 5]
 */
export async function beamSearch(
  model: TokenReader,
  prompt: ArrayLike<number>,
  options: BeamSearchOptions = {},
): Promise<FoundText[]> {
  checkBeamOptions(options);
  const { numBeams = 4, numReturnSequences = 1, maxNewTokens = 256, endTokens = [] } = options;
  const { lengthPenalty = 1, earlyStopping = false } = options;
  const before = [...(model.virtualTokens ?? []), ...Array.from(prompt)];
  const decoding = options.decoding ?? decodingFor(model, before.length, maxNewTokens);
  const longest = Math.min(maxNewTokens, decoding.maxLength - before.length);
  if (longest < 1)
    throw new ArgumentError(
      `beamSearch: a prompt of ${before.length} tokens leaves no room in ${decoding.maxLength}`,
    );
  const scoreOf = (total: number, length: number): number => total / length ** lengthPenalty;
  const kept = Math.max(2, 1 + endTokens.length) * numBeams;
  let finished: FoundText[] = [];
  let running: readonly Beam[] = [{ tokens: [], total: 0, parent: 0 }];
  let rows: readonly Float32Array[] = [await decoding.read(before.slice(decoding.length))];
  const reader = new BeamReader(model, decoding.caches, numBeams);
  for (let length = 1; ; length++) {
    const candidates = continuations(running, rows, kept, (scores, { tokens }) =>
      adjustScores(scores, options, [...before, ...tokens], before.length),
    );
    const ends = ({ tokens }: Beam): boolean => length === longest || endTokens.includes(tokens.at(-1)!);
    const found = candidates
      .slice(0, numBeams)
      .filter(ends)
      .map(({ tokens, total }) => ({
        tokens: endTokens.includes(tokens.at(-1)!) ? tokens.slice(0, -1) : tokens,
        score: scoreOf(total, length),
      }));
    finished = [...finished, ...found].sort((a, b) => b.score - a.score).slice(0, numBeams);
    running = candidates.filter((beam) => !ends(beam)).slice(0, numBeams);
    if (running.length === 0) break;
    if (finished.length === numBeams) {
      const best = scoreOf(
        running[0]!.total,
        earlyStopping === "never" && lengthPenalty > 0 ? longest : length,
      );
      if (earlyStopping === true || best <= finished.at(-1)!.score) break;
    }
    rows = await reader.read(running);
  }
  return finished.slice(0, numReturnSequences);
}

function checkBeamOptions(options: BeamSearchOptions): void {
  checkOptions("beamSearch", options, optionNames);
  checkSampling(options);
  const { numBeams = 4, numReturnSequences = 1, maxNewTokens = 1 } = options;
  for (const [name, value] of Object.entries({ numBeams, numReturnSequences, maxNewTokens })) {
    if (!Number.isInteger(value) || value < 1)
      throw new ArgumentError(`beamSearch: ${name} must be a positive integer, got ${value}`);
  }
  if (numReturnSequences > numBeams)
    throw new ArgumentError(
      `beamSearch: numReturnSequences ${numReturnSequences} is more than numBeams ${numBeams}`,
    );
  const { lengthPenalty = 1, earlyStopping = false } = options;
  if (!Number.isFinite(lengthPenalty))
    throw new ArgumentError(`beamSearch: lengthPenalty must be a number, got ${lengthPenalty}`);
  if (typeof earlyStopping !== "boolean" && earlyStopping !== "never")
    throw new ArgumentError(
      `beamSearch: earlyStopping must be true, false or "never", got ${String(earlyStopping)}`,
    );
}

/** The likeliest texts that are one token longer, the best first. */
function continuations(
  running: readonly Beam[],
  rows: readonly Float32Array[],
  count: number,
  adjust: (scores: Float32Array, beam: Beam) => void,
): Beam[] {
  const best: { readonly total: number; readonly token: number; readonly row: number }[] = [];
  for (const [row, beam] of running.entries()) {
    const scores = logProbabilities(rows[row]!);
    adjust(scores, beam);
    for (const [token, score] of scores.entries()) {
      const total = beam.total + score;
      if (!(total > -Infinity) || (best.length === count && total <= best.at(-1)!.total)) continue;
      let at = best.length;
      while (at > 0 && best[at - 1]!.total < total) at--;
      best.splice(at, 0, { total, token, row });
      if (best.length > count) best.pop();
    }
  }
  if (best.length === 0)
    throw new ArgumentError(
      "no token is possible: every logit is −Infinity or NaN; look at logitBias and the weights",
    );
  return best.map(({ total, token, row }) => ({
    tokens: [...running[row]!.tokens, token],
    total,
    parent: row,
  }));
}

/** Reads the last tokens of texts, each behind what its parent has read. */
class BeamReader {
  private readonly numBeams: number;
  private readonly readFirst: (tokens: Tensor, parents: Tensor) => Tensor;
  private readonly readNext: (tokens: Tensor, parents: Tensor) => Tensor;
  private isFirst = true;

  constructor(model: TokenReader, prompt: readonly KeyValueCache[], numBeams: number) {
    this.numBeams = numBeams;
    const own = model.caches(numBeams, prompt[0]!.maxLength);
    const behind = (sources: readonly KeyValueCache[]) =>
      compile((tokens: Tensor, parents: Tensor) => {
        for (const [i, cache] of own.entries()) {
          const { keys, values, length } = sources[i]!;
          cache.keys.assign((keys as Tensor).gather(parents, 0) as Tensor);
          cache.values.assign((values as Tensor).gather(parents, 0) as Tensor);
          cache.length.assign(length.add(0) as Tensor);
        }
        return model.logits(model.features(tokens, { caches: own }).reshape([numBeams, -1]) as Tensor);
      });
    this.readFirst = behind(prompt);
    this.readNext = behind(own);
  }

  /** @returns for each text the logits of the token that comes next */
  async read(beams: readonly Beam[]): Promise<Float32Array[]> {
    // Where there are fewer texts than rows, the first fills up.
    const filled = Array.from({ length: this.numBeams }, (_, i) => beams[i] ?? beams[0]!);
    const ids = (values: readonly number[], shape: readonly number[]): Tensor =>
      tensor(Int32Array.from(values), { shape }) as Tensor;
    const tokens = ids(
      filled.map((beam) => beam.tokens.at(-1)!),
      [this.numBeams, 1],
    );
    const parents = ids(
      filled.map((beam) => beam.parent),
      [this.numBeams],
    );
    const logits = (this.isFirst ? this.readFirst : this.readNext)(tokens, parents);
    this.isFirst = false;
    const all = (await logits.data()) as Float32Array;
    const size = all.length / this.numBeams;
    return beams.map((_, row) => all.subarray(row * size, (row + 1) * size));
  }
}
