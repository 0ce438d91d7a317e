import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { type Answer, runProgram } from "../../test/cli-program.ts";
import { root } from "../../test/source.ts";

const folder = mkdtempSync(join(tmpdir(), "netwright-cli-tune-"));
const module = join(folder, "search.mjs");
const run = (...args: string[]): Promise<Answer> => runProgram("tune", ...args);

beforeAll(() => {
  // The package itself as a user's module imports it, built.
  const tune = pathToFileURL(join(root, "dist/tune/index.js")).href;
  writeFileSync(
    module,
    `import { choice, space, tpe, uniform } from ${JSON.stringify(tune)};
     export const direction = "maximize";
     export const sampler = tpe({ seed: 1 });
     const searched = space({ x: uniform(-1, 1), kind: choice("a", "b") });
     export { searched as space };
     export const objective = ({ x, kind }, { number }) => {
       if (number === 2) throw new Error("unlucky");
       return 1 - x * x - (kind === "a" ? 0 : 0.5);
     };`,
  );
  writeFileSync(join(folder, "empty.mjs"), "export const objectiv = 1;");
});
afterEach(() => vi.restoreAllMocks());
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("a study kept in a file, gone on with, in processes, with charts", async () => {
  const storage = join(folder, "study.sqlite");
  const first = await run(module, "--trials", "6", "--storage", storage);
  expect(first.code).toBe(0);
  expect(first.stderr.split("\n").filter((line) => line !== "")).toHaveLength(6);
  expect(first.stderr).toMatch(/trial 2 {2}failed \(unlucky\) {2}x /);
  expect(first.stdout).toMatch(
    /^trials {6}5 complete, 1 failed \(ended: trials\)\nbest {8}[\d.]+ in trial \d\n {12}x /,
  );
  expect(await run(module, "--trials", "9", "--storage", storage)).toMatchObject({ code: 2, stdout: "" });

  const second = await run(
    ...[module, "--trials", "12", "--storage", storage, "--resume", "--json", "--parallel", "2"],
    ...["--charts", join(folder, "charts")],
  );
  const summary = JSON.parse(second.stdout);
  expect(summary).toMatchObject({
    direction: "maximize",
    reason: "trials",
    trials: { complete: 11, failed: 1 },
  });
  expect(summary.best.parameters.kind).toBe("a");
  expect(summary.importance.map(({ name }: { name: string }) => name).sort()).toEqual(["kind", "x"]);
  expect(readdirSync(join(folder, "charts")).sort()).toEqual([
    "history.svg",
    "importance.svg",
    "parallel.svg",
    "slices.svg",
  ]);
  expect(readFileSync(join(folder, "charts", "history.svg"), "utf8")).toContain("</svg>");
});

test("what was asked for wrongly", async () => {
  const said = async (...args: string[]): Promise<string> => {
    const { code, stderr } = await run(...args);
    return `${code} ${stderr.replaceAll(folder, "")}`;
  };
  expect(await said()).toBe(
    "2 netwright: tune: takes one module, got 0: netwright tune search.js --trials 50\n",
  );
  expect(await said(module, "--trials", "many")).toBe(
    '2 netwright: tune: --trials takes a number of at least 1, got "many"\n',
  );
  expect(await said(join(folder, "empty.mjs"))).toBe(
    '2 netwright: tune: /empty.mjs must export a function "objective"; it exports objectiv\n',
  );
  expect(await said(join(folder, "none.mjs"))).toMatch(/^1 netwright: .*none\.mjs/);
  expect((await run("--help")).stdout).toContain("netwright tune search.js --trials 200 --parallel 4");
});
