/** Every step against scikit-learn: `test/fixtures/tabular.py`. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { numberColumn, type TableColumn } from "../column.ts";
import { type Table, table } from "../table.ts";
import { bin, hashing } from "./bins.ts";
import { oneHot, ordinal } from "./encode.ts";
import { imputeMissing } from "./impute.ts";
import type { ColumnStep } from "./operation.ts";
import { columns, pipeline } from "./pipeline.ts";
import { power, quantile } from "./power.ts";
import { maxAbs, minMax, robust, standardize } from "./scale.ts";
import { knnImpute, polynomial } from "./several.ts";
import { targetEncode } from "./target-encoding.ts";

type Numbers = readonly (number | null)[];

const fixture = JSON.parse(readFileSync("test/fixtures/tabular.json", "utf8")) as {
  readonly columns: Readonly<Record<string, Numbers>>;
  readonly scaling: readonly {
    readonly step: string;
    readonly options: object;
    readonly column: string;
    readonly output: Numbers;
    readonly later: Numbers;
    readonly after: Numbers;
    readonly back: Numbers | null;
  }[];
  readonly encoding: {
    readonly colors: readonly (string | null)[];
    readonly oneHot: Readonly<Record<string, readonly Numbers[]>>;
    readonly ordinal: Numbers;
    readonly target: Readonly<
      Record<
        string,
        {
          y: readonly number[];
          fitted: readonly Numbers[];
          crossed: readonly Numbers[];
          unseen: readonly Numbers[];
        }
      >
    >;
    readonly hashed: readonly Numbers[];
  };
  readonly imputing: {
    readonly train: readonly Numbers[];
    readonly test: readonly Numbers[];
    readonly results: Readonly<Record<string, { train: readonly Numbers[]; test: readonly Numbers[] }>>;
    readonly products: {
      readonly input: readonly Numbers[];
      readonly degree3: { readonly names: readonly string[]; readonly output: readonly Numbers[] };
      readonly interactions: { readonly names: readonly string[]; readonly output: readonly Numbers[] };
    };
  };
};

const x = (values: Numbers): Table<{ x: "number" }> => table({ x: [...values] }) as Table<{ x: "number" }>;

/** Equal within a tolerance relative to the largest value beside it; infinities came as text. */
function expectNear(actual: ArrayLike<number | null>, expected: ArrayLike<unknown>, tolerance: number): void {
  expect(actual.length).toBe(expected.length);
  for (let i = 0; i < expected.length; i++) {
    const [a, e] = [actual[i], expected[i]];
    if (e === null) {
      if (a !== null && !Number.isNaN(a)) throw new Error(`value ${i} is ${a}, expected a missing one`);
      continue;
    }
    const wanted = Number(
      e === "inf" ? Number.POSITIVE_INFINITY : e === "-inf" ? Number.NEGATIVE_INFINITY : e,
    );
    const isNear =
      Object.is(a, wanted) || Math.abs(Number(a) - wanted) <= tolerance * Math.max(1, Math.abs(wanted));
    if (a === null || !isNear) throw new Error(`value ${i} is ${a}, expected ${wanted}`);
  }
}

const steps: Readonly<Record<string, (options: any) => ColumnStep>> = {
  standardize,
  minMax,
  robust,
  maxAbs,
  power,
  quantile,
  bin,
};

describe("scaling", () => {
  test.each(fixture.scaling.map((row) => [`${row.step} of ${row.column}`, row] as const))("%s", (_, row) => {
    const make = steps[row.step.split(" ")[0]!]!;
    const fitted = pipeline(make(row.options)).fit(x(fixture.columns[row.column]!));
    const tolerance = row.step.startsWith("power") ? 2e-6 : row.column === "large" ? 1e-6 : 1e-12;
    const scale = row.step === "quantile normal" ? 1e-9 : tolerance;
    expectNear(fitted.transform(x(fixture.columns[row.column]!)).column("x").data, row.output, scale);
    const later = fitted.transform(x(row.later));
    expectNear(later.column("x").data, row.after, scale);
    if (row.back)
      expectNear(
        fitted.inverse(later).column("x").data,
        row.back,
        row.step.startsWith("power") ? 2e-5 : 1e-6,
      );
  });
});

/** The columns of a table as rows of numbers. */
const rowsOf = (t: Table): number[][] =>
  Array.from({ length: t.length }, (_, row) => t.names.map((name) => Number(t.column(name).data[row])));

const expectRows = (t: Table, expected: readonly Numbers[], tolerance = 1e-12): void =>
  expectNear(rowsOf(t).flat(), expected.flat(), tolerance);

describe("encoding", () => {
  const { colors } = fixture.encoding;
  const rows = table({ color: colors });

  test("one column a category, the missing one last", () => {
    const t = pipeline(oneHot()).fit(rows).transform(rows);
    expect(t.names).toEqual(["color_blue", "color_green", "color_red", "color_violet", "color_missing"]);
    expectRows(t, fixture.encoding.oneHot.plain!);
    expectRows(
      pipeline(oneHot({ drop: "first" }))
        .fit(rows)
        .transform(rows),
      fixture.encoding.oneHot.first!,
    );
  });

  test("the numbers of categories", () => {
    const known = rows.filter(({ color }) => color !== null);
    expectNear(
      pipeline(ordinal()).fit(known).transform(known).column("color").data,
      fixture.encoding.ordinal,
      0,
    );
  });

  test.each(Object.entries(fixture.encoding.target))(
    "means of the target: %s",
    (name, { y, fitted, crossed, unseen }) => {
      const [kind, smooth] = name.split(" ");
      const withTarget = rows.with("y", [...y]);
      const step = targetEncode({
        smooth: smooth === "auto" ? "auto" : Number(smooth),
        folds: 3,
        shuffle: false,
      });
      const options = { target: "y", classify: kind !== "number" };
      const { pipeline: prepare, table: encoded } = pipeline(step).fitTransform(withTarget, options);
      expectRows(encoded.drop("y"), crossed);
      expectRows(prepare.transform(rows), fitted);
      expectRows(prepare.transform(table({ color: ["black"] })), unseen);
    },
  );

  test("hashes", () => {
    const t = table({ color: ["red", "blue", "Grün", "violet", ""] });
    expectRows(
      pipeline(hashing({ columns: 6 }))
        .fit(t)
        .transform(t),
      fixture.encoding.hashed,
    );
  });
});

describe("several columns", () => {
  const tableOf = (rows: readonly Numbers[]): Table =>
    table(
      Object.fromEntries(
        ["a", "b", "c", "d"]
          .slice(0, rows[0]!.length)
          .map((name, c): [string, TableColumn] => [
            name,
            numberColumn(Float64Array.from(rows, (row) => row[c] ?? Number.NaN)),
          ]),
      ),
    );
  const { train, test: later, results, products } = fixture.imputing;

  test.each(Object.entries(results))("missing values: %s", (name, expected) => {
    const step =
      name === "knn"
        ? knnImpute({ neighbors: 3 })
        : name === "knn distance"
          ? knnImpute({ neighbors: 4, weights: "distance" })
          : imputeMissing({ strategy: name as "mean" });
    const fitted = pipeline(step).fit(tableOf(train));
    expectRows(fitted.transform(tableOf(train)), expected.train);
    expectRows(fitted.transform(tableOf(later)), expected.test);
  });

  test("products", () => {
    const t = tableOf(products.input);
    const all = pipeline(polynomial({ degree: 3 })).fit(t);
    expect(all.featureNames).toEqual(products.degree3.names);
    expectRows(all.transform(t), products.degree3.output);
    expectRows(all.inverse(all.transform(t)), products.input);
    const different = pipeline(polynomial({ degree: 3, interactionOnly: true })).fit(t);
    expect(different.featureNames).toEqual(products.interactions.names);
    expectRows(different.transform(t), products.interactions.output);
  });

  test("columns that are not named stay", () => {
    const t = tableOf(products.input);
    expect(
      pipeline(columns({ b: standardize() }))
        .fit(t)
        .transform(t)
        .values("a"),
    ).toEqual([2, 1]);
  });
});
