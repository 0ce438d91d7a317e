/** A model that reads one text, piece by piece: what it has read stays in caches. */
import { ArgumentError } from "../base/errors.ts";
import type { TokenReader } from "../models/index.ts";
import type { KeyValueCache } from "../nn/index.ts";
import { compile, dimension, type Tensor, tensor, zeros } from "../tensor/index.ts";

/** Tokens of a prompt that one run takes; the last run's rest is filled up, so that all lengths share one program. */
const chunk = 64;

/** Attention looks at a multiple of so many positions: what is behind the text is 0 there. */
const roomStep = 16;

/**
 * Reads tokens and tells what may follow. Two programs serve every text and every length: one takes a piece of the prompt, one a
 * single token.
 *
 * @example
 * const model = new Llama({ vocabSize: 50, hiddenSize: 16, numLayers: 1, numHeads: 2, intermediateSize: 32 });
 * const decoding = new Decoding(model, { maxLength: 100 });
 * (await decoding.read([1, 2, 3])).length; // 50
 */
export class Decoding {
  readonly maxLength: number;
  /** What the model keeps of what was read. */
  readonly caches: readonly KeyValueCache[];
  private readonly readPiece: (tokens: Tensor, count: Tensor) => Tensor;
  private readonly readOne: (token: Tensor, room: Tensor) => Tensor;
  private readonly readAll: (tokens: Tensor, count: Tensor) => Tensor;
  private count = 0;
  /** As long as the positions that the last token saw. */
  private room = zeros([0], { dtype: "bool" }) as Tensor;

  /** @param options.maxLength the most tokens of a text, prompt and answer */
  constructor(model: TokenReader, { maxLength }: { readonly maxLength: number }) {
    if (!Number.isInteger(maxLength) || maxLength < 1)
      throw new ArgumentError(`Decoding: maxLength must be a positive integer, got ${maxLength}`);
    const { maxTokens = Infinity } = model;
    if (maxLength > maxTokens)
      throw new ArgumentError(
        `Decoding: the model reads up to ${maxTokens} tokens, maxLength is ${maxLength}`,
      );
    this.maxLength = maxLength;
    // What fills up a piece is written behind the text too, where nobody looks before it is overwritten.
    const caches = model.caches(1, Math.ceil(maxLength / chunk) * chunk + chunk);
    this.caches = caches;
    const piece = (tokens: Tensor, count: Tensor): Tensor => {
      const start = caches[0]!.length.value;
      const features = model.features(tokens, { caches }); // (1, T, features)
      for (const cache of caches) cache.length.assign(start.add(count) as Tensor);
      return features;
    };
    this.readPiece = compile((tokens: Tensor, count: Tensor) =>
      model.logits(piece(tokens, count).at(0, count.sub(1) as Tensor) as Tensor),
    );
    this.readAll = compile((tokens: Tensor, count: Tensor) =>
      model.logits(piece(tokens, count).at(0) as Tensor),
    );
    const one = (token: Tensor, room: Tensor): Tensor => {
      const within = caches.map((cache) => cache.within(room));
      return model.logits(model.features(token, { caches: within }).at(0, 0) as Tensor);
    };
    const positions = dimension("positions", { min: 1, max: caches[0]?.maxLength ?? maxLength });
    this.readOne = compile(one, { shapes: [[1, 1], [positions]] });
  }

  /** How many tokens were read. */
  get length(): number {
    return this.count;
  }

  /**
   * Reads tokens behind those that were read before.
   *
   * @returns logits of the token that comes next
   * @throws ArgumentError when there is nothing to read, or no room for it
   */
  async read(tokens: ArrayLike<number>): Promise<Float32Array> {
    this.requireRoom(tokens.length);
    let logits: Tensor | undefined;
    const ids = Int32Array.from(tokens);
    for (let from = 0; from < ids.length; from += chunk) {
      const piece = ids.subarray(from, from + chunk);
      logits =
        piece.length === 1
          ? this.readOne(row(piece), this.roomFor(this.count + 1))
          : this.readPiece(filled(piece, chunk), scalar(piece.length));
      this.count += piece.length;
    }
    return (await logits!.data()) as Float32Array;
  }

  /**
   * Reads tokens as `read` does, up to 64 of them.
   *
   * @returns for each of them the logits of the token that comes next
   * @throws ArgumentError when there is nothing to read, or no room for it
   */
  async readEach(tokens: ArrayLike<number>): Promise<Float32Array[]> {
    if (tokens.length > chunk)
      throw new ArgumentError(`Decoding: readEach takes up to ${chunk} tokens, got ${tokens.length}`);
    if (tokens.length === 1) return [await this.read(tokens)];
    this.requireRoom(tokens.length);
    // One program for each power of two.
    const room = 2 ** Math.ceil(Math.log2(tokens.length));
    const logits = this.readAll(filled(Int32Array.from(tokens), room), scalar(tokens.length));
    this.count += tokens.length;
    const all = (await logits.data()) as Float32Array;
    const size = all.length / room;
    return Array.from(tokens, (_, i) => all.subarray(i * size, (i + 1) * size));
  }

  private roomFor(length: number): Tensor {
    const size = Math.ceil(length / roomStep) * roomStep;
    if (this.room.shape[0] !== size) this.room = zeros([size], { dtype: "bool" }) as Tensor;
    return this.room;
  }

  private requireRoom(count: number): void {
    if (count === 0) throw new ArgumentError("Decoding: there must be a token to read");
    if (this.count + count > this.maxLength)
      throw new ArgumentError(
        `Decoding: ${count} tokens behind ${this.count} are more than maxLength ${this.maxLength}`,
      );
  }

  /** Forgets all but the first `length` tokens, so that another text which begins alike need not be read again. */
  rewind(length: number): void {
    if (!Number.isInteger(length) || length < 0 || length > this.count)
      throw new ArgumentError(`Decoding: cannot go back to ${length} of ${this.count} tokens`);
    for (const cache of this.caches) cache.length.assign(scalar(length));
    this.count = length;
  }
}

/** Where a prompt and its answer are read, unless the caller says. */
export function decodingFor(model: TokenReader, promptLength: number, maxNewTokens: number): Decoding {
  const bound = Math.max(promptLength, model.maxTokens ?? Infinity);
  return new Decoding(model, { maxLength: Math.min(promptLength + maxNewTokens, bound) });
}

const row = (ids: Int32Array): Tensor => tensor(ids, { shape: [1, ids.length] }) as Tensor;
const scalar = (value: number): Tensor => tensor(value, { dtype: "i32" }) as Tensor;

function filled(piece: Int32Array, room: number): Tensor {
  const ids = new Int32Array(room);
  ids.set(piece);
  return row(ids);
}
