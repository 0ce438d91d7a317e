/** The example of tables as users run it: a raw file, a pipeline, a model, and raw rows again after both were saved. */
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { root } from "./source.ts";

const file = join(root, "build", "examples", "penguins.js");
beforeAll(() => {
  if (!existsSync(file)) throw new Error("the examples are not built: npm run build, or npm test");
});

test("penguins are told apart, and so are those that come later", () => {
  const output = execFileSync(process.execPath, [file, "--epochs", "40"], { encoding: "utf8" });
  expect(output).toContain("sex                string    333       11       2");
  expect(output).toContain("pipeline of 6 columns → 8 features");
  expect(Number(/test accuracy ([\d.]+) %/.exec(output)?.[1])).toBeGreaterThan(95);
  expect(output).toContain("the one from Biscoe: Gentoo\nthe one from Elsewhere: Adelie\n");
});
