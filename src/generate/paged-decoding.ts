/** A model that reads tokens of many texts at once: what it has read lies in pages of one pool. */
import { ArgumentError } from "../base/errors.ts";
import type { TokenReader } from "../models/index.ts";
import { PagedCache } from "../nn/index.ts";
import { type Compiled, compile, type Tensor, tensor } from "../tensor/index.ts";

/** A token to read: the next of its text. */
export interface PagedToken {
  readonly token: number;
  /** Where it stands in its text. */
  readonly position: number;
  /** The pages of its text up to its own, by number. */
  readonly pages: readonly number[];
  /** Whether the logits behind it are wanted. */
  readonly isWanted: boolean;
}

export interface PagedDecodingOptions {
  /** Pages for texts. */
  readonly pages: number;
  /** Tokens of a page. */
  readonly pageSize: number;
  /** The most tokens of a text. */
  readonly maxLength: number;
  /** The most tokens that are read at once. */
  readonly maxRows: number;
  /** The most of them whose logits are wanted. */
  readonly maxWanted: number;
}

type Step = Compiled<
  [tokens: Tensor, positions: Tensor, tables: Tensor, places: Tensor, wanted: Tensor],
  Tensor
>;

/** A step of so many tokens, and of how many of them logits are given. */
interface Program {
  readonly rows: number;
  readonly wanted: number;
  readonly step: Step;
}

/**
 * Reads up to `maxRows` tokens a step, each the next of some text or of a part of one. A program for each of few sizes serves all texts,
 * lengths and mixtures; a step takes the smallest that fits and fills it up. What comes out behind a token depends on its own text
 * alone, bit for bit.
 */
export class PagedDecoding {
  /** The number of the first page that belongs to texts: those before take what fills steps up. */
  readonly firstPage: number;
  readonly options: PagedDecodingOptions;
  private readonly programs: readonly Program[];
  private readonly tableLength: number;

  constructor(model: TokenReader, options: PagedDecodingOptions) {
    const { pages, pageSize, maxLength, maxRows, maxWanted } = options;
    const { maxTokens = Infinity } = model;
    if (maxLength > maxTokens)
      throw new ArgumentError(`the model reads up to ${maxTokens} tokens, maxLength is ${maxLength}`);
    this.options = options;
    this.firstPage = Math.ceil(maxRows / pageSize);
    this.tableLength = Math.ceil(maxLength / pageSize);
    const pools = model.caches(1, 1).map(({ keys, values }) => {
      const [, numHeads, , headSize] = keys.shape as readonly [number, number, number, number];
      const valueSize = values.shape.at(-1) as number;
      return new PagedCache({ pages: this.firstPage + pages, pageSize, numHeads, headSize, valueSize });
    });
    const read = (
      tokens: Tensor,
      positions: Tensor,
      tables: Tensor,
      places: Tensor,
      wanted: Tensor,
    ): Tensor => {
      const caches = pools.map((pool) => pool.at({ tables, positions, places }));
      const own = positions.expandDims(-1) as Tensor; // (R, 1)
      const features = model.features(tokens, { caches, positions: own }).squeeze(1); // (R, features)
      return model.logits(features.gather(wanted, 0) as Tensor);
    };
    this.programs = sizesUpTo(maxRows).map((rows) => ({
      rows,
      wanted: Math.min(rows, maxWanted),
      step: compile(read, { name: `read ${rows}` }),
    }));
  }

  /** Compiles all programs, by reading nothing. */
  async prepare(): Promise<void> {
    for (const program of this.programs) await this.run(program, []);
  }

  /** @returns the logits behind each token that wants them, in order */
  async read(tokens: readonly PagedToken[]): Promise<Float32Array[]> {
    const program = this.programs.find(({ rows }) => rows >= tokens.length)!;
    return this.run(program, tokens);
  }

  private async run({ rows, wanted, step }: Program, tokens: readonly PagedToken[]): Promise<Float32Array[]> {
    const { pageSize } = this.options;
    const length = this.tableLength;
    const [ids, positions, tables] = [rows, rows, rows * length].map((n) => new Int32Array(n));
    // What fills up is read into the first pages, each to a place of its own.
    const places = Int32Array.from({ length: rows }, (_, row) => row);
    const chosen = new Int32Array(wanted);
    let count = 0;
    for (const [row, { token, position, pages, isWanted }] of tokens.entries()) {
      ids![row] = token;
      positions![row] = position;
      tables!.set(pages, row * length);
      places[row] = pages[Math.floor(position / pageSize)]! * pageSize + (position % pageSize);
      if (isWanted) chosen[count++] = row;
    }
    const own = (data: Int32Array, ...shape: number[]): Tensor => tensor(data, { shape }) as Tensor;
    const made = step(
      ...([own(ids!, rows, 1), own(positions!, rows), own(tables!, rows, length)] as const),
      own(places, rows),
      own(chosen, wanted),
    );
    const all = (await made.data()) as Float32Array;
    const size = all.length / wanted;
    return Array.from({ length: count }, (_, i) => all.subarray(i * size, (i + 1) * size));
  }
}

/** 1, 4, 16 … and the largest. */
function sizesUpTo(most: number): number[] {
  const sizes: number[] = [];
  for (let size = 1; size < most; size *= 4) sizes.push(size);
  return [...sizes, most];
}
