import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import { runProgram as run } from "../../test/cli-program.ts";
import { chosenDevice } from "../runtime/devices.ts";
import { searchedTiles } from "../runtime/searched-tiles.ts";
import { doctor } from "../runtime/x64/doctor.ts";
import { type TuneReport, tuneKernels as tune } from "../runtime/x64/tune.ts";
import { productsOf } from "./tune-kernels.ts";

const { isa } = doctor();
let folder: string | undefined;
function newFolder(): void {
  folder = mkdtempSync(join(tmpdir(), "tune-"));
  vi.stubEnv("NETWRIGHT_TILES", folder);
}
afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
  if (folder !== undefined) rmSync(folder, { recursive: true });
  folder = undefined;
});

test("shapes", () => {
  const cube = { batch: 1, rows: 64, depth: 32, columns: 16 };
  expect(productsOf("64x32x16")).toEqual(["nn", "tn", "nt"].map((form) => ({ ...cube, form })));
  expect(productsOf(" 64x32x16:nt , 8x64x32x16:nn")).toEqual([
    { ...cube, form: "nt" },
    { ...cube, batch: 8, form: "nn" },
  ]);
});

test.each([
  ["512", '"512" is no product; give ROWSxDEPTHxCOLUMNS'],
  ["512x512xfive", "is no product"],
  ["512x0x512", "is no product"],
  ["1x2x3x4x5", "is no product"],
  ["64x64x64:nm", '"nm" in "64x64x64:nm" is no form; forms are nn, tn, nt'],
  ["100000x100000x8", "is too large"],
  [" , ", "names no product"],
])("a wrong shape says what is accepted: %s", async (shapes, message) => {
  const { code, stdout, stderr } = await run("tune-kernels", "--shapes", shapes);
  expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  expect(stderr).toContain(message);
});

test("a wrong time", async () => {
  expect((await run("tune-kernels", "--seconds", "soon")).stderr).toBe(
    'netwright: tune-kernels: --seconds "soon" is no time; give a number above 0\n',
  );
  expect((await run("tune-kernels", "--seconds", "-1")).code).not.toBe(0);
});

test("its help names the shapes", async () => {
  expect((await run("tune-kernels", "--help")).stdout).toMatch(/--shapes .*\n.*\n.*default: 32x784x64,/);
});

test.skipIf(isa === undefined)(
  "a search ends in its time, says what it tried, and keeps what it found",
  () => {
    newFolder();
    const products = productsOf("48x64x80,1x512x1024:nt");
    const seen: string[] = [];
    const report = tune({
      products,
      seconds: 0.1,
      threads: 1,
      onProduct: ({ form }) => seen.push(form),
    });
    expect(seen).toEqual(["nn", "tn", "nt", "nt"]);
    const [first, , , few] = report.products;
    expect(first!.choices).toBeGreaterThan(20);
    expect(first!.tried).toBeLessThanOrEqual(first!.choices);
    for (const { estimated, best, share } of report.products) {
      expect(best).toBeGreaterThanOrEqual(estimated);
      expect(share).toBeGreaterThan(0);
    }
    // Few rows by a matrix have no tiles to choose.
    expect(few).toMatchObject({ choices: 0, tried: 0, choice: undefined });
    expect(report.kept).toEqual({ file: expect.stringContaining(folder!) });
    const chosen = report.products.filter(({ choice }) => choice !== undefined);
    expect(searchedTiles(report.instructionSet)!.tiles.size).toBe(chosen.length);
  },
);

const isNative = isa !== undefined && chosenDevice().device.name.startsWith("x64");

test.skipIf(!isNative)("as JSON, and as a table", async () => {
  newFolder();
  const args = ["tune-kernels", "--shapes", "32x32x32:nn", "--seconds", "0.02"];
  const { code, stdout } = await run(...args, "--json");
  expect(code).toBe(0);
  const report = JSON.parse(stdout) as TuneReport;
  expect(report.products).toMatchObject([{ batch: 1, rows: 32, depth: 32, columns: 32, form: "nn" }]);
  const table = (await run(...args)).stdout.split("\n");
  expect(table[0]).toMatch(/^product +estimated +best +of loop +tried +tiles$/);
  expect(table[1]).toMatch(/^32x32x32:nn +\d+\.\d +\d+\.\d +\d+ % +\d+\/\d+ +\S/);
  expect(table[3]).toMatch(/^GFLOP\/s, avx.*, \d+ threads?, .* for [01] of 1, kept in \S+\.json$/);
});

test("where machine code does not compute it says so", async (context) => {
  context.skip(isNative, "machine code computes here");
  expect(await run("tune-kernels")).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("tiles are machine code's, and what computes here is"),
  });
});
