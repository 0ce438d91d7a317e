/** The page of measured errors, `docs/elementary-functions.md`: written by the full sweep, read back by the quick test. */
import { accuracyRows } from "./accuracy-rows.ts";

/** The worst error of a function, in ulp. */
export interface Measured {
  /** Where a multiply-add rounds once: machine code. */
  readonly once: number;
  /** Where product and sum are rounded each: WebAssembly. */
  readonly twice: number;
}

/** Computed in f64 and rounded to f32 once: at most 0.51 ulp, by `ops/expand/wide.test.ts`. */
export const wideFunctions = [
  "exp2",
  "log2",
  "log10",
  "cbrt",
  "erfc",
  "erfinv",
  "tan",
  "asin",
  "acos",
  "atan",
  "sinh",
  "cosh",
  "asinh",
  "acosh",
  "atanh",
] as const;

const cell = (ulp: number): string => (Math.ceil(ulp * 1000) / 1000).toFixed(3);

/** The page that says what was measured. */
export function accuracyPage(measured: ReadonlyMap<string, Measured>): string {
  const rows = accuracyRows.map(({ name, ulp }) => {
    const { once, twice } = measured.get(name)!;
    return `| \`${name}\` | ${cell(once)} | ${cell(twice)} | ${ulp} |`;
  });
  return `# How exact the elementary functions are

The largest error over every f32, in units in the last place: the distance from the exact result, divided by the distance
of the two f32 numbers beside it. Rounding the exact result gives 0.5. Measured on the code that runs, made by

    NETWRIGHT_TEST_TIER=full npx vitest run src/testing/accuracy.test.ts --update

| function | x64 | WebAssembly | promised |
|---|---|---|---|
${rows.join("\n")}

On x64 a multiply-add rounds once; on WebAssembly product and sum are rounded each. Nothing else differs: the number of lanes
and threads never changes a bit.

- Exactly rounded (0.5): \`add\`, \`sub\`, \`mul\`, \`div\`, \`sqrt\`, and the roundings to whole numbers.
- Computed in f64 and then rounded (at most 0.51, over every 499th f32): ${wideFunctions.map((name) => `\`${name}\``).join(", ")}.
- \`pow\`: computed in f64, too: 0.51 at most over 20 million pairs of all magnitudes; the special cases are C's.
- \`sin\` and \`cos\` take |x| up to 2³⁰ and give NaN beyond; results of \`exp\` below the smallest normal number are 0.
`;
}

/** The figures of a page. */
export function measuredIn(page: string): ReadonlyMap<string, Measured> {
  const rows = page.matchAll(/^\| `(\w+)` \| ([\d.]+) \| ([\d.]+) \| [\d.]+ \|$/gm);
  return new Map(
    [...rows].map(([, name, once, twice]) => [name!, { once: Number(once), twice: Number(twice) }]),
  );
}
