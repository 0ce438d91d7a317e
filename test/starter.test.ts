/** What `netwright new` makes: its config, commands and test work with the built package. */
import { execFileSync, spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { root } from "./source.ts";

const folder = mkdtempSync(join(tmpdir(), "netwright-new-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const project = join(folder, "my leaves");
const program = join(root, "dist/cli/netwright.js");

const netwright = (...args: string[]): string =>
  execFileSync(process.execPath, [program, ...args], {
    cwd: existsSync(project) ? project : folder,
    encoding: "utf8",
  });

beforeAll(() => {
  if (!existsSync(program)) throw new Error("the package is not built: npm run build, or npm test");
  netwright("new", "my leaves");
  // Instead of npm install: this package and those it names.
  mkdirSync(join(project, "node_modules"));
  symlinkSync(root, join(project, "node_modules", "netwright"), "junction");
  symlinkSync(join(root, "node_modules", "jiti"), join(project, "node_modules", "jiti"), "junction");
});

test("the files, and that a folder with anything in it is left alone", () => {
  expect(readdirSync(project).sort()).toEqual([
    ...[
      ".gitignore",
      "README.md",
      "config.ts",
      "data",
      "model.ts",
      "node_modules",
      "package.json",
      "test",
      "tsconfig.json",
    ],
  ]);
  expect(JSON.parse(readFileSync(join(project, "package.json"), "utf8")).name).toBe("my-leaves");
  const again = spawnSync(process.execPath, [program, "new", project], { encoding: "utf8" });
  expect({ status: again.status, stderr: again.stderr }).toMatchObject({
    status: 1,
    stderr: expect.stringContaining("is not empty"),
  });
});

test("its commands: train, predict, replay", { timeout: 120_000 }, () => {
  const trained = netwright("train", "config.ts", "--name", "first", "--set", "fit.epochs=12", "--json");
  const { run } = JSON.parse(trained.trim().split("\n").at(-1)!) as {
    run: { best: Record<string, number>; status: string };
  };
  expect(run.status).toBe("finished");
  expect(run.best["validationAccuracy"]).toBeGreaterThan(0.9);
  writeFileSync(join(project, "new.csv"), "length,width\n95,16\n66,\n");
  const [line] = netwright("predict", "first", "new.csv").split("\n");
  expect(JSON.parse(line!).prediction).toBe("willow");
  expect(JSON.parse(netwright("replay", "first", "--step", "20", "--json"))).toMatchObject({
    ...{ isEqual: true, step: 20 },
  });
});

test("its own test", { timeout: 120_000 }, () => {
  const output = execFileSync(
    process.execPath,
    ["--import", "jiti/register", "--test", "test/model.test.ts"],
    {
      ...{
        cwd: project,
        encoding: "utf8",
        env: { ...process.env, NODE_OPTIONS: undefined, NODE_TEST_CONTEXT: undefined },
      },
    },
  );
  expect(output).toMatch(/pass 2/);
});
