/** English into German: two LSTMs with Luong's attention, and a Transformer, on the messages of a database in both languages. */
import { compile, type Tensor, tensor } from "netwright";
import { arrayDataset, trainTestIndices } from "netwright/data";
import { crossEntropy } from "netwright/losses";
import { bleu, chrf } from "netwright/metrics";
import { Seq2Seq } from "netwright/models";
import { Dropout, Embedding, initializers, Module, SinusoidalPositions, Transformer } from "netwright/nn";
import { adamw, cosine, warmup } from "netwright/optim";
import { heatmapChart } from "netwright/report";
import { loadTokenizer, padSequences, type Tokenizer, trainBpe } from "netwright/text";
import { fit } from "netwright/train";
import { example, type Run } from "./support/example.ts";
import { dataLines } from "./support/lines.ts";

export default example({
  task: "translate English into German",
  data: "messages of PostgreSQL and their translations, of 3 to 8 words; 500 test",
  metric: "BLEU, Transformer",
  chance: 6,
  reference: {
    "BLEU, Transformer": { value: 41.35, from: "translation memory by TF-IDF, scikit-learn" },
    "chrF, Transformer": { value: 57.45, from: "translation memory by TF-IDF, scikit-learn" },
  },
  run,
});

/** The special tokens come first. */
const [padding, start, end] = [0, 1, 2];
/** Tokens of a message; a few have more. */
const longest = 28;

interface Pair {
  readonly source: readonly number[];
  readonly german: string;
}

/** nn.Transformer between a table of tokens and itself, transposed: what reads tokens also scores them. */
class Translator extends Module {
  readonly embedding: Embedding;
  readonly positions: SinusoidalPositions;
  readonly dropout = new Dropout(0.1);
  readonly transformer: Transformer;

  constructor(vocabularySize: number, size: number) {
    super();
    const weightInit = initializers.normal(0, size ** -0.5);
    this.embedding = new Embedding(vocabularySize, size, { weightInit });
    this.positions = new SinusoidalPositions(size);
    this.transformer = new Transformer({
      ...{ dModel: size, nhead: 4, numEncoderLayers: 2, numDecoderLayers: 2, dimFeedforward: 2 * size },
      ...{ dropout: 0.1, batchFirst: true, normFirst: true },
    });
  }

  forward(source: Tensor, target: Tensor): Tensor {
    const keyPaddingMask = source.equal(padding);
    const masks = { causal: true, memoryKeyPaddingMask: keyPaddingMask, source: { keyPaddingMask } };
    const read = this.transformer.forward(this.vectors(source), this.vectors(target), masks);
    return read.matmul(this.embedding.weight.transpose()); // (N, T, vocabulary)
  }

  private vectors(tokens: Tensor): Tensor {
    const scaled = this.embedding.forward(tokens).mul(Math.sqrt(this.positions.size));
    return this.dropout.forward(this.positions.forward(scaled));
  }
}

async function run({ quick, seed, labels, say }: Run) {
  const lines = dataLines("messages-de.tsv.gz").map((line) => line.split("\t") as [string, string]);
  const short = lines.filter((pair) => pair.every((text) => text.split(" ").length <= (quick ? 5 : 8)));
  const parts = trainTestIndices(short.length, { test: quick ? 100 : 500, seed });
  const [train, test] = [parts.train, parts.test].map((rows) => Array.from(rows, (row) => short[row]!));
  // Pieces of words that both languages share, from the texts that train.
  const tokenizer = await loadTokenizer(
    await trainBpe(train!.flat(), { vocabularySize: 2000, specialTokens: ["<pad>", "<start>", "<end>"] }),
  );
  const size = tokenizer.vocabularySize;
  const known = labels(train!.map(([, german]) => german));
  const pairs = train!.map(([english], i) => ({
    source: tokenizer.encode(english).ids,
    german: known[i]!,
  }));
  const dataset = datasetOf(pairs, tokenizer);
  say(`${dataset.length} pairs train, ${test!.length} test, ${size} tokens`);

  const [batchSize, epochs] = [32, quick ? 10 : 12];
  const steps = epochs * Math.ceil(dataset.length / batchSize);
  const learn = (model: Module) =>
    fit(model, dataset, {
      ...{ epochs, batchSize, seed, clipNorm: 1, progress: "none", checks: false },
      loss: (logits: Tensor, answers: Tensor) => crossEntropy(logits, answers, { ignoreIndex: padding }),
      optimizer: adamw({
        learningRate: warmup(Math.ceil(steps / 20), cosine({ from: 2e-3, to: 0, steps })),
        weightDecay: 0.01,
      }),
    });
  const sources = padSequences(
    test!.map(([english]) => tokenizer.encode(english).ids),
    { length: longest },
  ).tokens;
  const truth = test!.map(([, german]) => german);
  const textsOf = (answers: readonly (readonly number[])[]) => answers.map((ids) => tokenizer.decode(ids));

  const transformer = new Translator(size, 128);
  await learn(transformer);
  const said = textsOf(await translate(transformer.eval(), sources));
  say(
    said
      .slice(0, 8)
      .map((german, i) => `  ${test![i]![0]} → ${german}`)
      .join("\n"),
  );
  const scores = { "BLEU, Transformer": bleu(said, truth).score, "chrF, Transformer": chrf(said, truth) };
  const splits = {
    train: train!.map(([english]) => english),
    test: test!.map(([english]) => english),
  };
  // The older network needs more steps until it says anything: it is left out where all should be quick.
  if (quick) return { scores, splits };

  const recurrent = new Seq2Seq({
    ...{ sourceSize: size, targetSize: size, embeddingSize: 96, hiddenSize: 160 },
    // Read both ways, a state stands for its word; read forwards alone, the last ones stand for all, and draw all attention.
    ...{ bidirectional: true, dropout: 0.3 },
  });
  await learn(recurrent);
  const found = await recurrent.eval().translate(tensor(sources), { start, end, maxLength: longest });
  const answers = textsOf(found.map(({ tokens }) => tokens));
  const drawn = found.findIndex(({ tokens }, i) => answers[i] === truth[i] && tokens.length >= 8);
  const read = (row: number) => tokenizer.encode(test![row]![0]).ids;
  return {
    scores: {
      ...scores,
      "BLEU, LSTM with attention": bleu(answers, truth).score,
      "chrF, LSTM with attention": chrf(answers, truth),
    },
    splits,
    pictures: drawn < 0 ? [] : [attentionMap(found[drawn]!, read(drawn), tokenizer)],
  };
}

/** The target with a start in front is read, the target with an end behind is to be said. */
function datasetOf(pairs: readonly Pair[], tokenizer: Tokenizer) {
  const whole = pairs
    .map(({ source, german }) => ({ source, target: tokenizer.encode(german).ids }))
    .filter(({ source, target }) => source.length <= longest && target.length < longest);
  const column = (rows: readonly (readonly number[])[]) => padSequences(rows, { length: longest }).tokens;
  return arrayDataset({
    source: column(whole.map(({ source }) => source)),
    target: column(whole.map(({ target }) => [start, ...target])),
    labels: column(whole.map(({ target }) => [...target, end])),
  });
}

/** The likeliest token, again and again, for all sentences at a time. */
async function translate(model: Translator, sources: ReturnType<typeof padSequences>["tokens"]) {
  const [count] = sources.shape;
  const next = compile((source: Tensor, target: Tensor) => model.forward(source, target).argmax(-1));
  const written = Array.from({ length: count }, () => [start]);
  for (let at = 0; at < longest - 1; at++) {
    const target = padSequences(written, { length: longest }).tokens;
    const likeliest = await next(tensor(sources), tensor(target)).data();
    for (const [row, ids] of written.entries()) ids.push(Number(likeliest[row * longest + at]));
  }
  return written.map((ids) => {
    const over = ids.indexOf(end);
    return ids.slice(1, over < 0 ? undefined : over);
  });
}

/** For each token that was written, where the network looked. */
function attentionMap(
  { tokens, attention }: { readonly tokens: readonly number[]; readonly attention: readonly Float32Array[] },
  source: readonly number[],
  tokenizer: Tokenizer,
) {
  const names = (ids: readonly number[]) => ids.map((id, i) => `${i + 1} ${tokenizer.decode([id]).trim()}`);
  return heatmapChart({
    ...{ title: "Where the network looks", x: "English", y: "German", rowShares: true },
    ...{ rows: names(tokens), columns: names(source) },
    values: attention.map((shares) =>
      Array.from(shares.subarray(0, source.length), (share) => Math.round(100 * share) / 100),
    ),
  });
}
