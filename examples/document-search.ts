/** Search: which page of this documentation answers a question? By the words they share, by what they mean, and by both. */
import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { tensor } from "netwright";
import { draws } from "netwright/data";
import { reciprocalRank } from "netwright/metrics";
import { loadSentenceEncoder } from "netwright/pretrained";
import { lineChart } from "netwright/report";
import { TfIdf } from "netwright/text";
import { example, projectFile, type Run } from "./support/example.ts";
import { sentenceWeights } from "./support/weights.ts";

const metric = "mean reciprocal rank, both";

export default example({
  task: "find the page that answers a question",
  data: "the pages of this documentation, cut into passages; 61 questions, of which a half validates and the others test",
  metric,
  chance: 0.25,
  reference: { [metric]: { value: 0.521, from: "scikit-learn, TF-IDF of the same passages, all questions" } },
  run,
});

interface Passage {
  readonly page: string;
  readonly text: string;
}

async function run({ quick, seed, labels, say }: Run) {
  const questions = draws(seed).shuffled(readQuestions());
  const passages = readPages().filter((_, i) => !quick || i % 2 === 0);
  const pages = [...new Set(passages.map(({ page }) => page))];
  // Which page a passage is of is the label here: with shuffled ones nothing can be found.
  const pageOf = labels(passages.map(({ page }) => pages.indexOf(page)));
  say(`${passages.length} passages of ${pages.length} pages, ${questions.length} questions`);

  const encoder = await loadSentenceEncoder(sentenceWeights());
  const passageTexts = passages.map(({ text }) => text);
  const questionTexts = questions.map(({ question }) => question);
  const meaning = await products(await encoder.encode(questionTexts), await encoder.encode(passageTexts));
  const counts = new TfIdf({ sublinear: true }).fit(passageTexts);
  const rowsOf = (texts: readonly string[]) => {
    const { data, shape } = counts.transform(texts);
    return texts.map((_, i) => (data as Float32Array).subarray(i * shape[1]!, (i + 1) * shape[1]!));
  };
  const words = await products(rowsOf(questionTexts), rowsOf(passageTexts));

  /** The pages' scores for a question, each that of its best passage. */
  const scoresOf = (row: number, share: number): number[] => {
    const best = new Array<number>(pages.length).fill(-1);
    for (const [i, page] of pageOf.entries()) {
      const score = share * meaning[row]![i]! + (1 - share) * words[row]![i]!;
      best[page] = Math.max(best[page]!, score);
    }
    return best;
  };
  const ranksOf = (rows: readonly number[], share: number): number[] =>
    rows.map((row) =>
      reciprocalRank(
        scoresOf(row, share),
        pages.map((page) => Number(page === questions[row]!.page)),
      ),
    );
  const half = Math.floor(questions.length / 2);
  const everyRow = questions.map((_, row) => row);
  const [validation, test] = [everyRow.slice(0, half), everyRow.slice(half)];
  // How much meaning counts beside words: what is best for the questions that validate.
  const shares = Array.from({ length: 21 }, (_, i) => i / 20);
  const curve = shares.map((share) => meanOf(ranksOf(validation, share)));
  const share = shares[curve.indexOf(Math.max(...curve))]!;
  for (const row of test.slice(0, 4)) {
    const scores = scoresOf(row, share);
    say(`  ${questions[row]!.question} → ${pages[scores.indexOf(Math.max(...scores))]}`);
  }

  const [both, byMeaning, byWords] = [share, 1, 0].map((share) => ranksOf(test, share));
  return {
    scores: {
      [metric]: meanOf(both!),
      "mean reciprocal rank, meaning": meanOf(byMeaning!),
      "mean reciprocal rank, words": meanOf(byWords!),
      "right page first, both": meanOf(both!.map((rank) => Number(rank === 1))),
      "share of meaning that validation chose": share,
    },
    splits: {
      validation: validation.map((row) => questions[row]!.question),
      test: test.map((row) => questions[row]!.question),
    },
    pictures: [
      lineChart({
        ...{ title: "Words, meaning, or both", x: "share of meaning", y: "mean reciprocal rank" },
        series: [
          { name: "validation", x: shares, y: curve, style: "dashed" },
          { name: "test", x: shares, y: shares.map((share) => meanOf(ranksOf(test, share))) },
        ],
      }),
    ],
  };
}

const meanOf = (values: readonly number[]): number => values.reduce((sum, x) => sum + x, 0) / values.length;

/** Every question's likeness to every passage: rows have length 1, so products are cosines. */
async function products(asked: readonly Float32Array[], known: readonly Float32Array[]): Promise<number[][]> {
  return tensor(asked).matmul(tensor(known).transpose()).toArray() as Promise<number[][]>;
}

function readQuestions() {
  const lines = readFileSync(
    projectFile("examples", "data", "documentation-questions.tsv"),
    "utf8",
  ).trimEnd();
  return lines.split("\n").map((line) => {
    const [page, question] = line.split("\t") as [string, string];
    return { page, question };
  });
}

/** The prose of each page but the reference, a passage for each paragraph, with the page's title and its own heading in front. */
function readPages(): Passage[] {
  const root = projectFile("docs");
  const files = readdirSync(root, { recursive: true, encoding: "utf8" }).sort();
  return files
    .filter((file) => file.endsWith(".md") && !/^reference|^results\.md$|README/.test(file))
    .flatMap((file) => {
      const page = relative(projectFile(), join(root, file)).replaceAll("\\", "/");
      const prose = readFileSync(join(root, file), "utf8")
        .replace(/```[\s\S]*?```/g, "")
        .replace(/<!-- measured -->[\s\S]*?<!-- \/measured -->/g, "")
        .replace(/\]\([^)]*\)/g, "]");
      let [title, heading] = ["", ""];
      return prose.split(/\n{2,}/).flatMap((block) => {
        const head = /^#+ (.*)/.exec(block.trim());
        if (head !== null) {
          if (title === "") title = head[1]!;
          heading = head[1]!;
        }
        const text = block
          .replace(/^#+ .*\n?/, "")
          .replace(/\s+/g, " ")
          .trim();
        return text.length < 40
          ? []
          : [{ page, text: `${title}. ${heading === title ? "" : `${heading}. `}${text}` }];
      });
    });
}
