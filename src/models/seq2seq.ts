/** A sequence for a sequence, by two recurrent networks and attention between them. Sutskever, Vinyals and Le, 2014; Luong, Pham and Manning, "Effective approaches to attention-based neural machine translation", 2015. */
import { ArgumentError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";
import { Dropout, Embedding, Linear, LSTM, LuongAttention, Module } from "../nn/index.ts";
import { compile, concat, type Tensor, tensor } from "../tensor/index.ts";

export interface Seq2SeqOptions {
  readonly sourceSize: number;
  readonly targetSize: number;
  /** Default 256. */
  readonly embeddingSize?: number;
  /** Default 256. */
  readonly hiddenSize?: number;
  /** Default 1. */
  readonly numLayers?: number;
  /** Whether the encoder also reads backwards, each direction into half of the states' features; default false. */
  readonly bidirectional?: boolean;
  /** Default 0.2. */
  readonly dropout?: number;
  /** How a decoder's state is compared with the encoder's; default "general". */
  readonly score?: "dot" | "general" | "concat";
  /** The token that stands where a sequence is over; default 0. */
  readonly paddingIndex?: number;
}

/** What the encoder knows of a batch. */
interface Memory {
  /** (N, S, hidden) */
  readonly states: Tensor;
  /** (N, S): true where nothing is. */
  readonly isPadding: Tensor;
  /** The last states of all layers, (layers, N, hidden) each. */
  readonly hidden: Tensor;
  readonly cell: Tensor;
}

/** A translation of one sequence. */
export interface Translation {
  readonly tokens: readonly number[];
  /** For each token how much each source token mattered, (tokens, S). */
  readonly attention: readonly Float32Array[];
}

/**
 * An encoder and a decoder of LSTMs with Luong's global attention. Trained with the target one step ahead (teacher forcing): give `forward` the
 * target with the start token in front and without its last token, and compare the logits with the target.
 *
 * Shapes: source (N, S), target (N, T), both i32 → logits (N, T, targetSize).
 *
 * @example
 * const model = new Seq2Seq({ sourceSize: 20, targetSize: 30, embeddingSize: 8, hiddenSize: 8 });
 * const i32 = { dtype: "i32" } as const;
 * model.forward(tensor([[3, 4, 5], [6, 7, 0]], i32), tensor([[1, 8], [1, 9]], i32)).shape; // [2, 2, 30]
 */
export class Seq2Seq extends Module {
  readonly sourceEmbedding: Embedding;
  readonly targetEmbedding: Embedding;
  readonly encoder: LSTM;
  readonly decoder: LSTM;
  readonly attention: LuongAttention;
  /** State and context to what is read out: tanh(W·[context; state]). */
  readonly combine: Linear;
  readonly output: Linear;
  readonly dropout: Dropout;
  readonly paddingIndex: number;
  #step: ReturnType<typeof this.compileStep> | undefined;

  constructor(options: Seq2SeqOptions) {
    super();
    checkOptions("Seq2Seq", options, [
      ...(["sourceSize", "targetSize", "embeddingSize", "hiddenSize"] as const),
      ...(["numLayers", "bidirectional", "dropout", "score", "paddingIndex"] as const),
    ]);
    const { sourceSize, targetSize, embeddingSize = 256, hiddenSize = 256, numLayers = 1 } = options;
    const { bidirectional = false, dropout = 0.2, score = "general", paddingIndex = 0 } = options;
    if (bidirectional && hiddenSize % 2 !== 0)
      throw new ArgumentError(`Seq2Seq: two directions need an even hiddenSize, got ${hiddenSize}`);
    this.paddingIndex = paddingIndex;
    this.sourceEmbedding = new Embedding(sourceSize, embeddingSize, { paddingIndex });
    this.targetEmbedding = new Embedding(targetSize, embeddingSize, { paddingIndex });
    const layers = { numLayers, batchFirst: true, dropout: numLayers > 1 ? dropout : 0 };
    const encoderSize = bidirectional ? hiddenSize / 2 : hiddenSize;
    this.encoder = new LSTM(embeddingSize, encoderSize, { ...layers, bidirectional });
    this.decoder = new LSTM(embeddingSize, hiddenSize, layers);
    this.attention = new LuongAttention(hiddenSize, { score });
    this.combine = new Linear(2 * hiddenSize, hiddenSize);
    this.output = new Linear(hiddenSize, targetSize);
    this.dropout = new Dropout(dropout);
  }

  forward(source: Tensor, target: Tensor): Tensor {
    const memory = this.encode(source);
    return this.decode(target, memory).logits;
  }

  private encode(source: Tensor): Memory {
    const isPadding = source.equal(this.paddingIndex) as Tensor;
    const lengths = isPadding.not().cast("i32").sum(1).maximum(1) as Tensor;
    const vectors = this.dropout.forward(this.sourceEmbedding.forward(source)) as Tensor;
    const { output, hidden, cell } = this.encoder.forward(vectors, undefined, { lengths });
    return { states: output, isPadding, hidden: this.joined(hidden), cell: this.joined(cell) };
  }

  /** Last states of both directions beside each other: (layers·directions, N, size) → (layers, N, hidden). */
  private joined(last: Tensor): Tensor {
    const { numLayers, hiddenSize } = this.decoder;
    const [, batch, size] = last.shape as readonly number[] as [number, number, number];
    const apart = last.reshape([numLayers, hiddenSize / size, batch, size]) as Tensor;
    return apart.transpose(1, 2).reshape([numLayers, batch, hiddenSize]) as Tensor;
  }

  private decode(target: Tensor, { states, isPadding, hidden, cell }: Memory) {
    const vectors = this.dropout.forward(this.targetEmbedding.forward(target)) as Tensor;
    const run = this.decoder.forward(vectors, [hidden, cell]);
    const seen = this.attention.forward(run.output, states, { keyPaddingMask: isPadding });
    const joined = concat([seen.context, run.output], -1) as Tensor; // (N, T, 2·hidden)
    const read = this.dropout.forward((this.combine.forward(joined as never) as Tensor).tanh() as Tensor);
    const logits = this.output.forward(read as never) as Tensor; // (N, T, targetSize)
    return { logits, weights: seen.weights, hidden: run.hidden, cell: run.cell };
  }

  private compileStep() {
    const begin = compile((source: Tensor) => this.encode(source));
    const step = compile((token: Tensor, memory: Memory) => {
      const { logits, weights, hidden, cell } = this.decode(token.expandDims(1) as Tensor, memory);
      const next = logits.squeeze(1).argmax(-1) as Tensor; // (N)
      return { next, weights: weights.squeeze(1) as Tensor, hidden, cell };
    });
    return { begin, step };
  }

  /**
   * The likeliest next token, again and again, until all sequences have ended.
   *
   * @param source (N, S) of i32
   * @throws ArgumentError in training mode, where dropout would change each step, and for a length that is no positive integer
   * @example
   * const model = new Seq2Seq({ sourceSize: 20, targetSize: 30, embeddingSize: 8, hiddenSize: 8 }).eval();
   * const [first] = await model.translate(tensor([[3, 4, 5]], { dtype: "i32" }), { start: 1, end: 2, maxLength: 4 });
   * first!.tokens.length <= 4; // true
   */
  async translate(
    source: Tensor,
    { start, end, maxLength }: { readonly start: number; readonly end: number; readonly maxLength: number },
  ): Promise<Translation[]> {
    if (this.training) throw new ArgumentError("Seq2Seq: translate needs evaluation mode; call eval() first");
    if (!Number.isInteger(maxLength) || maxLength < 1)
      throw new ArgumentError(`Seq2Seq: maxLength must be a positive integer, got ${maxLength}`);
    const [batch, length] = source.shape as readonly number[] as [number, number];
    const { begin, step } = (this.#step ??= this.compileStep());
    const made = Array.from({ length: batch }, () => ({
      tokens: [] as number[],
      attention: [] as Float32Array[],
      isOver: false,
    }));
    let memory = begin(source) as Memory;
    let token = tensor(new Int32Array(batch).fill(start), { shape: [batch] }) as Tensor;
    for (let at = 0; at < maxLength && made.some(({ isOver }) => !isOver); at++) {
      const { next, weights, hidden, cell } = step(token, memory);
      const [tokens, shares] = await Promise.all([next.data(), weights.data()]);
      for (const [row, sequence] of made.entries()) {
        sequence.isOver ||= tokens[row] === end;
        if (sequence.isOver) continue;
        sequence.tokens.push(Number(tokens[row]));
        sequence.attention.push((shares as Float32Array).slice(row * length, (row + 1) * length));
      }
      memory = { ...memory, hidden, cell };
      token = next;
    }
    return made.map(({ tokens, attention }) => ({ tokens, attention }));
  }
}
