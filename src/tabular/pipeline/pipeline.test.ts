import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { normal, randomKey, uniform } from "../../base/random.ts";
import { readCsv } from "../csv/read.ts";
import { type Table, table } from "../table.ts";
import { bin, hashing } from "./bins.ts";
import { clipOutliers } from "./clip.ts";
import { dateParts } from "./date-parts.ts";
import { oneHot, ordinal } from "./encode.ts";
import { imputeMissing } from "./impute.ts";
import { loadPipeline, parsePipeline } from "./load.ts";
import { drop, keep } from "./operations.ts";
import { columns, kinds, pipeline } from "./pipeline.ts";
import { power, quantile } from "./power.ts";
import { log, maxAbs, minMax, robust, standardize } from "./scale.ts";
import { knnImpute, polynomial } from "./several.ts";
import { targetEncode } from "./target-encoding.ts";

const patients = table({
  age: [34, null, 51, 29, 62, 45],
  sex: ["f", "m", "f", null, "m", "f"],
  smokes: [true, false, null, false, true, true],
  visit: [
    new Date("2024-01-31"),
    new Date("2024-02-29"),
    null,
    null,
    new Date("2023-12-31"),
    new Date("2024-07-01"),
  ],
  notes: ["a", "b", "c", "d", "e", "f"],
  ill: ["no", "yes", "no", "no", "yes", "yes"],
});

/** Every kind of step at once. */
const prepare = pipeline(
  columns({
    notes: drop(),
    visit: [imputeMissing({ strategy: "median" }), dateParts({ parts: ["year", "monthSin"] })],
  }),
  imputeMissing({ strategy: "median", indicator: true }),
  clipOutliers({ method: "robustZ" }),
  columns({
    age: [power(), minMax()],
    sex: oneHot({ unknown: "unknown" }),
    visit_year: bin({ bins: 2, encode: "ordinal", strategy: "uniform" }),
  }),
  knnImpute({ neighbors: 2 }),
  polynomial({ columns: ["age", "visit_monthSin"], interactionOnly: true }),
);

describe("a pipeline", () => {
  const fitted = prepare.fit(patients, { target: "ill" });

  test("gives features in order, leaves the target alone, and counts them", () => {
    expect(fitted.featureNames).toEqual([
      ...[
        "age",
        "visit_monthSin",
        "age visit_monthSin",
        "age_missing",
        "sex_f",
        "sex_m",
        "sex_unknown",
        "sex_missing",
      ],
      ...["smokes", "smokes_missing", "visit_year"],
    ]);
    expect(fitted.transform(patients).names).toEqual([...fitted.featureNames, "ill"]);
    expect(fitted.transform(patients).values("ill")).toEqual(patients.values("ill"));
    expect(fitted.classes).toEqual(["no", "yes"]);
    expect(fitted.schema).toEqual(patients.drop("ill", "notes").schema);
    expect(String(fitted)).toBe('pipeline of 4 columns → 11 features, predicting "ill"');
  });

  test("prepares rows that come later the same way, one or many, as tables or objects", () => {
    const features = fitted.features(patients);
    expect(features.shape).toEqual([6, 11]);
    for (const [i, row] of [...patients.rows()].entries()) {
      expect(fitted.features([row]).data).toEqual(features.data.slice(11 * i, 11 * (i + 1)));
    }
  });

  test("learns from the training rows alone", () => {
    const { train, test: later } = prepare.datasets(
      { train: patients.slice(0, 4), test: patients.slice(4) },
      { target: "ill" },
    );
    const alone = prepare.fit(patients.slice(0, 4), { target: "ill" });
    expect(train.column("features").data).toEqual(alone.features(patients.slice(0, 4)).data);
    expect(later.column("features").data).toEqual(alone.features(patients.slice(4)).data);
    expect(later.column("labels")).toEqual({ dtype: "i32", shape: [2], data: Int32Array.of(1, 1) });
  });

  test("comes back from its file as it was, to the last bit", async () => {
    const path = join(mkdtempSync(join(tmpdir(), "netwright-pipeline-")), "prepare.json");
    await fitted.save(path);
    const loaded = await loadPipeline(path);
    expect(loaded.features(patients).data).toEqual(fitted.features(patients).data);
    expect(JSON.stringify(loaded)).toBe(JSON.stringify(fitted));
    expect(loaded.decode([1, 0])).toEqual(["yes", "no"]);
    writeFileSync(path, readFileSync(path, "utf8").slice(0, -20));
    await expect(loadPipeline(path)).rejects.toThrow(`${path}: it is no JSON`);
  });

  test("is fitted with a schema that reads a file of raw rows as it must be read", async () => {
    const path = join(mkdtempSync(join(tmpdir(), "netwright-pipeline-")), "later.csv");
    writeFileSync(path, "age,sex,smokes,visit\n40,1,,\n");
    await expect(readCsv(path).then((rows) => fitted.features(rows))).rejects.toThrow(
      'column "sex" holds numbers, the pipeline was fitted with strings; read it so: readCsv(path, { schema: pipeline.schema })',
    );
    const rows = await readCsv(path, { schema: fitted.schema });
    expect(fitted.features(rows).data).toEqual(
      fitted.features([{ age: 40, sex: "1", smokes: null, visit: null }]).data,
    );
  });
});

describe("inverse", () => {
  const key = randomKey(5);
  const noise = Array.from(normal(key, 60));
  const rows = table({
    a: noise.map((z) => Math.exp(z)),
    b: noise.map((z, i) => z * 3 + i),
    c: noise.map((_, i) => ["x", "y", "z"][i % 3]!),
    d: noise.map((_, i) => (i % 7 === 0 ? null : i % 2 === 0)),
  });

  test.each([
    ["standardize", columns({ a: standardize(), b: standardize({ withMean: false }) })],
    ["minMax, robust", columns({ a: minMax({ range: [-1, 4] }), b: robust() })],
    ["maxAbs, log", columns({ a: log(), b: maxAbs() })],
    ["power", columns({ a: power({ method: "boxCox" }), b: power() })],
    ["quantile", columns({ a: quantile(), b: quantile({ quantiles: 20, distribution: "uniform" }) })],
    ["encoders", columns({ c: oneHot({ drop: "first" }), d: oneHot() })],
    ["ordinal", columns({ c: ordinal(), d: [imputeMissing({ indicator: true })] })],
    ["several in a row", columns({ a: [log(), standardize(), minMax()], c: [ordinal(), standardize()] })],
    ["polynomial", polynomial({ columns: ["a", "b"], degree: 3 })],
  ])("%s", (_, step) => {
    const fitted = pipeline(step).fit(rows);
    const back = fitted.inverse(fitted.transform(rows));
    expect(back.names).toEqual(rows.names);
    for (const name of ["a", "b"]) {
      const [found, original] = [back.values(name), rows.values(name as "a")];
      original.forEach((value, i) => void expect(found[i]).toBeCloseTo(value!, 8));
    }
    expect([back.values("c"), back.values("d")]).toEqual([rows.values("c"), rows.values("d")]);
  });

  test("leaves dropped columns away, and says what cannot be undone", () => {
    const fitted = pipeline(columns({ c: drop(), d: drop() })).fit(rows);
    expect(fitted.inverse(fitted.transform(rows)).names).toEqual(["a", "b"]);
    const hashed = pipeline(columns({ c: hashing({ columns: 4 }) })).fit(rows);
    expect(() => hashed.inverse(hashed.transform(rows))).toThrow('inverse: hashing of "c" cannot be undone');
  });
});

describe("what no training row had", () => {
  const train = table({ c: ["a", "b", "a", "rare"], n: [1, 2, 3, 4] });

  test("a category: an error, nothing, or a column of its own", () => {
    const later = table({ c: ["new"], n: [5] });
    const of = (step: ReturnType<typeof oneHot>): (() => Table) => {
      const fitted = pipeline(columns({ c: step }, { others: "drop" })).fit(train);
      return () => fitted.transform(later);
    };
    expect(of(oneHot())).toThrow(
      'oneHot: column "c": row 0 has "new", which no training row had (they had "a", "b", "rare"); say unknown: "ignore" or "unknown"',
    );
    expect(of(oneHot({ unknown: "ignore" }))().row(0)).toEqual({ c_a: 0, c_b: 0, c_rare: 0 });
    expect(of(oneHot({ unknown: "unknown" }))().row(0)).toEqual({ c_a: 0, c_b: 0, c_rare: 0, c_unknown: 1 });
    expect(of(ordinal({ unknown: "unknown" }))().row(0)).toEqual({ c: 3 });
    expect(of(ordinal({ unknown: "ignore" }))().row(0)).toEqual({ c: null });
    expect(of(ordinal())).toThrow('row 0 has "new"');
  });

  test("rare categories share the column of the unknown", () => {
    const fitted = pipeline(
      columns({ c: oneHot({ minCount: 2, unknown: "unknown" }) }, { others: "drop" }),
    ).fit(train);
    expect([...fitted.transform(table({ c: ["rare", "new", "a"] })).rows()]).toEqual([
      { c_a: 0, c_unknown: 1 },
      { c_a: 0, c_unknown: 1 },
      { c_a: 1, c_unknown: 0 },
    ]);
  });

  test("a column: an error, or missing in every row", () => {
    const strict = pipeline(imputeMissing()).fit(train);
    expect(() => strict.transform([{ c: "a" }])).toThrow(
      'transform: the rows lack the column "n", which the pipeline was fitted with (they have c); give it',
    );
    expect(strict.transform([]).schema).toEqual(strict.transform(train).schema);
    expect(strict.transform([]).length).toBe(0);
    const lenient = pipeline(imputeMissing()).fit(train, { missingColumns: "missing" });
    expect(lenient.transform([{ c: "a" }]).row(0)).toEqual({ c: "a", n: 2.5 });
    expect(lenient.transform(table({ c: ["a"], extra: [1] })).names).toEqual(["c", "n"]);
  });

  test("a value of another kind", () => {
    const fitted = pipeline().fit(train);
    expect(() => fitted.transform([{ c: "a", n: "5" }])).toThrow(
      'transform: row 0 has "5" for "n"; it must be a number, or null where it is missing',
    );
  });
});

describe("targets", () => {
  const rows = table({ x: [1, 2, 3, 4], price: [100, 200, 400, 800], grade: [2, 1, 2, 3] });

  test("of numbers are scaled for learning and scaled back", () => {
    const { pipeline: fitted, train } = pipeline(standardize()).datasets(
      { train: rows.drop("grade") },
      { target: "price", targetStep: standardize() },
    );
    const { shape, data } = train.column("labels");
    expect(shape).toEqual([4, 1]);
    expect(data[0]).toBeCloseTo(-1.0258, 4);
    fitted
      .decode(Array.from(data))
      .forEach((value, i) => void expect(value).toBeCloseTo(rows.values("price")[i]!, 3));
    expect(parsePipeline(JSON.stringify(fitted)).decode([0])).toEqual([375]);
  });

  test("of numbers that are classes", () => {
    const fitted = pipeline(columns({ price: drop() })).fit(rows, { target: "grade", classify: true });
    expect(fitted.dataset(rows).column("labels").data).toEqual(Int32Array.of(1, 0, 1, 2));
    expect(fitted.decode([2, 0])).toEqual([3, 1]);
    expect(() => fitted.decode([3])).toThrow("decode: predictions[0] is 3; a class is an index from 0 to 2");
    expect(() => fitted.dataset(table({ x: [1], price: [1], grade: [9] }))).toThrow(
      'labels: row 0 has "9" for "grade", which no training row had; the classes are 1, 2, 3',
    );
  });

  test("an encoding by the target never shows a training row its own answer", () => {
    // A category for each row: crossed, it says nothing of the row; not crossed it would say all.
    const unique = table({
      id: Array.from({ length: 40 }, (_, i) => `id ${i}`),
      y: Array.from(uniform(randomKey(1), 40)),
    });
    const { table: crossed, pipeline: fitted } = pipeline(targetEncode({ smooth: 0 })).fitTransform(unique, {
      target: "y",
    });
    const direct = fitted.transform(unique);
    const y = unique.values("y") as number[];
    expect(direct.values("id")).toEqual(y);
    const matches = (crossed.values("id") as number[]).filter((value, i) => Math.abs(value - y[i]!) < 1e-9);
    expect(matches).toEqual([]);
    const again = pipeline(targetEncode({ smooth: 0 })).fitTransform(unique, { target: "y" });
    expect(again.table.values("id")).toEqual(crossed.values("id"));
    const otherSeed = pipeline(targetEncode({ smooth: 0 })).fitTransform(unique, { target: "y", seed: 1 });
    expect(otherSeed.table.values("id")).not.toEqual(crossed.values("id"));
  });
});

describe("mistakes", () => {
  const rows = table({ a: [1, 2, null], s: ["x", "y", "x"], e: [null, null, null] as (number | null)[] });

  test.each([
    [() => pipeline(columns({ aa: standardize() })).fit(rows), 'there is no column "aa"; did you mean "a"?'],
    [
      () => pipeline(columns({ s: standardize() })).fit(rows),
      'standardize: column "s" holds strings; it takes numbers',
    ],
    [() => pipeline(standardize()).fit(rows), 'standardize: column "e" has no values to learn from'],
    [() => pipeline(imputeMissing()).fit(rows), 'imputeMissing: column "e" has no values to learn from'],
    [() => pipeline().fit(rows.slice(0, 0)), "the table has no rows to learn from"],
    [() => pipeline().fit(rows, { target: "a" }), 'the target "a" is missing in 1 rows'],
    [
      () => pipeline(columns({ s: targetEncode() })).fit(rows),
      'needs to know what is predicted: fit(rows, { target: "…" })',
    ],
    [
      () => pipeline().fit(rows).features(rows),
      'features: column "a" is missing in row 2; fill it with imputeMissing()',
    ],
    [
      () =>
        pipeline(columns({ a: drop(), e: drop() }))
          .fit(rows)
          .features(rows),
      'column "s" holds strings; make numbers of it with oneHot()',
    ],
    [() => pipeline().fit(rows).dataset(rows), "what are the labels?"],
    [
      () => standardize({ withMaen: true } as object),
      'there is no option "withMaen"; did you mean "withMean"?',
    ],
    [
      () => oneHot({ unknown: "eror" as "error" }),
      'unknown must be one of error, ignore, unknown, got "eror"',
    ],
    [
      () => pipeline(columns({ s: oneHot() })).fit(rows.with("s_x", [1, 2, 3])),
      'two columns would be called "s_x"',
    ],
    [() => pipeline(log()).fit(table({ a: [0, -1] })), "is -1 in row 1, and log(x + 1) needs more than -1"],
    [
      () => pipeline(power({ method: "boxCox" })).fit(table({ a: [1, 0] })),
      "is 0 in row 1, and Box–Cox needs positive numbers",
    ],
    [
      () => pipeline(standardize()).fit(table({ a: [-1e308, 1e308] })),
      'standardize: column "a" has values too far apart',
    ],
    [
      () => pipeline(minMax()).fit(table({ a: [-1e308, 1e308] })),
      'minMax: column "a" has values too far apart',
    ],
    [() => pipeline(robust()).fit(table({ a: [1, Infinity] })), 'robust: column "a" is Infinity in row 1'],
    [
      () => pipeline(columns({ s: oneHot({ maxCategories: 1 }) })).fit(rows),
      "has 2 categories, more than the 1 allowed",
    ],
    [
      () =>
        pipeline(polynomial({ degree: 12 })).fit(
          table(Object.fromEntries(Array.from("abcdefghijkl", (n) => [n, [1]]))),
        ),
      "gives more than 100000 columns",
    ],
  ])("%#", (run, message) => expect(run).toThrow(message));
});

describe("a hostile file", () => {
  const text = JSON.stringify(prepare.fit(patients, { target: "ill" }));
  const changed = (change: (file: any) => void): string => {
    const file = JSON.parse(text);
    change(file);
    return JSON.stringify(file);
  };

  test.each([
    ["null", "the file is no object"],
    ['{"format":"netwright pipeline","version":1,"version":2}', '"version" stands twice in one object'],
    [changed((file) => (file.version = 2)), "it has version 2; this program reads version 1"],
    [changed((file) => (file.format = "x")), "it is no pipeline"],
    [changed((file) => file.columns.push(file.columns[0])), 'column "age" stands there twice'],
    [changed((file) => (file.columns[0].kind = "object")), 'column "age" has the kind "object"'],
    [changed((file) => (file.target.classes = null)), "the target has no list of classes"],
    [
      changed((file) => (file.stages[0].steps[0].operation = "constructor")),
      'there is no operation "constructor"',
    ],
    [changed((file) => (file.stages[3].steps[0].state = { low: 5, high: 1 })), "bounds that do not ascend"],
    [
      changed((file) => (file.stages[3].steps[0].state = { low: null, high: 1 })),
      'has a "low" that is no number',
    ],
    [
      changed((file) => (file.stages[3].steps[0].state.extra = 1)),
      'has "extra", which does not belong there',
    ],
    [changed((file) => delete file.stages[3].steps[0].state.low), 'lacks "low"'],
    [changed((file) => (file.stages[3].steps[0].column = "sex")), "its stages do not fit together"],
    [changed((file) => (file.stages.at(-2).state.rows[0] = [1])), "has rows of another width"],
    [changed((file) => (file.stages.at(-1).state.degree = 1e9)), "has degree 1000000000"],
    [changed((file) => (file.stages.at(-1).columns = ["nowhere"])), 'there is no column "nowhere"'],
    [changed((file) => (file.stages = {})), "stages is no list"],
  ])("%#", (hostile, message) => expect(() => parsePipeline(hostile)).toThrow(message));

  test("columns named like inherited properties are columns", () => {
    const rows = table(
      Object.fromEntries([
        ["__proto__", [1, 2, 3]],
        ["constructor", [1, 2, 4]],
      ]),
    );
    const fitted = parsePipeline(
      JSON.stringify(pipeline(standardize(), columns({ constructor: keep() })).fit(rows)),
    );
    expect(fitted.featureNames).toEqual(["__proto__", "constructor"]);
    expect(fitted.features(rows).shape).toEqual([3, 2]);
  });
});

test("steps by kind", () => {
  const fitted = pipeline(
    kinds({ number: [imputeMissing(), standardize()], string: oneHot({ unknown: "ignore" }) }),
  ).fit(patients.select("age", "sex", "smokes"));
  expect(fitted.featureNames).toEqual(["age", "sex_f", "sex_m", "sex_missing", "smokes"]);
});
