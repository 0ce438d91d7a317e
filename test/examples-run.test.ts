/**
 * Every example of `examples/list.ts`: it learns, parts of its data share no row, and with shuffled training labels it is no better
 * than chance. Those that are quick, in both tiers; all of them in the full one. And their pages say what was measured.
 */
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, type TestContext, test } from "vitest";
import { examples } from "../examples/list.ts";
import { MissingData } from "../examples/support/example.ts";
import { type Outcome, type PerformOptions, perform, requireDisjoint } from "../examples/support/perform.ts";
import { meanInterval, pageWith, type Results, resultsPage } from "../examples/support/results.ts";
import { drawScene, sceneSize } from "../examples/support/scenes.ts";
import { mnist } from "../src/data/index.ts";
import { readText, root } from "./source.ts";
import { byTier } from "./tier.ts";

/** A second or two each. */
const quickOnes = ["breast-cancer", "spam", "volatility", "gestures", "sentiment"];

const names = byTier(quickOnes, Object.keys(examples));

async function outcomeOf(name: string, options: PerformOptions, context: TestContext): Promise<Outcome> {
  try {
    return await perform(examples[name]!, { quick: true, ...options });
  } catch (error) {
    if (error instanceof MissingData) context.skip(`data is missing: ${error.message}`);
    throw error;
  }
}

describe.each(names)("%s", (name) => {
  const { metric, chance, isUnpredictable = false, reference } = examples[name]!;

  test(isUnpredictable ? "shows that nothing is to be learnt" : "learns from the right labels", {
    timeout: 300_000,
  }, async (context) => {
    const { scores, sizes } = await outcomeOf(name, {}, context);
    if (isUnpredictable) expect(scores[metric]).toBeLessThan(chance);
    else expect(scores[metric]).toBeGreaterThan(chance);
    for (const score of Object.values(scores)) expect(score).not.toBeNaN();
    expect(Object.keys(scores)).toContain(metric);
    expect(Object.keys(reference).length).toBeGreaterThan(0);
    expect(Object.values(sizes).length).toBeGreaterThan(1);
    for (const size of Object.values(sizes)) expect(size).toBeGreaterThan(0);
  });

  test("is no better than chance with shuffled labels", { timeout: 300_000 }, async (context) => {
    const { scores } = await outcomeOf(name, { shuffleLabels: true }, context);
    expect(scores[metric]).toBeLessThan(chance);
  });
});

function command(...flags: readonly string[]): string {
  return execFileSync(process.execPath, [join(root, "build/examples/run.js"), ...flags], {
    encoding: "utf8",
  });
}

test("one command runs an example, with any number of threads the same; without a name it lists them", {
  timeout: 300_000,
}, () => {
  const [one, two] = ["1", "2"].map(
    (threads) =>
      JSON.parse(command("breast-cancer", "--quick", "--json", "--threads", threads)) as Record<
        string,
        unknown
      >,
  );
  expect(one!.name).toBe("breast-cancer");
  expect(two!.scores).toEqual(one!.scores);
  const listed = command();
  for (const name of Object.keys(examples)) expect(listed).toMatch(new RegExp(`^${name} +\\w`, "m"));
});

const results = JSON.parse(readText("examples/results.json")) as Results;

test("docs/results.md and the pages say what was measured", () => {
  expect(readText("docs/results.md")).toBe(resultsPage(examples, results));
  for (const [name, measured] of Object.entries(results)) {
    const page = readText(`docs/examples/${name}.md`);
    expect(page).toBe(pageWith(page, examples[name]!, measured));
  }
});

test.each(Object.keys(examples))("%s has a page with its source, its picture and its command", (name) => {
  const page = readText(`docs/examples/${name}.md`);
  expect(page).toContain(`npm run example -- ${name}`);
  expect(page).toContain(`examples/${name}.ts`);
  expect(page).toMatch(/^## Data$/m);
  expect(page).toMatch(/<!-- measured -->[\s\S]*<!-- \/measured -->/);
  for (const [, picture] of page.matchAll(/!\[[^\]]*\]\(([^)]+)\)/g))
    expect(existsSync(join(root, "docs/examples", picture!)), picture).toBe(true);
});

test.each(Object.keys(examples))(
  "%s imports netwright's entries alone, and is readable in ten minutes",
  (name) => {
    const text = readText(`examples/${name}.ts`);
    const imported = [...text.matchAll(/from "([^"]+)"/g)].map(([, from]) => from!);
    for (const from of imported) expect(from).toMatch(/^(netwright(\/\w+)?|node:\w+|\.\/support\/\w+\.ts)$/);
    expect(text.split("\n").length).toBeLessThanOrEqual(220);
  },
);

test("a row that two parts share is found", () => {
  expect(() => requireDisjoint({ train: [[1, 2], [3]], test: [[4], [3]] })).toThrow(
    "train and test share 1 rows; drop them before the split",
  );
  expect(() => requireDisjoint({ train: [[1, 2]], test: [[2, 1]] })).not.toThrow();
});

test("confidence intervals are Student's", () => {
  // scipy.stats.t.interval(0.95, 2, loc=2, scale=scipy.stats.sem([1, 2, 3])) is (-0.4841, 4.4841)
  const { mean, half } = meanInterval([1, 2, 3]);
  expect([mean, half]).toEqual([2, expect.closeTo(2.4841, 3)]);
});

test("scenes: a key draws one scene; digits lie within it, apart from each other, and their pixels within their boxes", async () => {
  const { test: digits } = await mnist({ raw: true });
  expect(drawScene(digits, 7)).toEqual(drawScene(digits, 7));
  expect(drawScene(digits, 8).pixels).not.toEqual(drawScene(digits, 7).pixels);
  for (let key = 0; key < 20; key++) {
    const { pixels, classes, things } = drawScene(digits, key);
    const seen = new Set<number>();
    let wrong = 0;
    for (let place = 0; place < sceneSize ** 2; place++) {
      const [x, y] = [place % sceneSize, Math.floor(place / sceneSize)];
      const around = things.filter(
        ({ box: [left, top, right, bottom] }) => x >= left && x < right && y >= top && y < bottom,
      );
      if (around.length > 1) wrong++;
      const label = classes[place]!;
      if (label === 10) continue;
      if (around[0]?.label !== label || pixels[place]! < 64) wrong++;
      seen.add(label);
    }
    expect(wrong).toBe(0);
    expect(things.length).toBeGreaterThan(0);
    expect([...seen].sort()).toEqual([...new Set(things.map(({ label }) => label))].sort());
  }
});

test("the committed data has its licence written beside it, and is not in the package", () => {
  const rows = readText("examples/data/README.md").split("\n");
  for (const name of readdirSync(join(root, "examples/data")).filter((name) => name !== "README.md")) {
    const row = rows.find((row) => row.startsWith(`| \`${name}\` |`));
    expect(row, name).toMatch(
      /CC BY 4\.0|CC0 1\.0|MIT licence|PostgreSQL licence|GPL-2 or later, which holds for this file/,
    );
  }
  const { files } = JSON.parse(readText("package.json")) as { files: string[] };
  expect(files).toEqual(["dist", "README.md", "CHANGELOG.md", "LICENSE"]);
});
