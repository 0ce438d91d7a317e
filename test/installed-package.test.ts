/**
 * What a user does: installs the packed tarball without scripts into a project of their own, and runs the README's ten lines
 * as JavaScript and as TypeScript.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { fencedBlocks } from "./examples/extract.ts";
import { writeSmallMnist } from "./mnist-files.ts";
import { readText, root } from "./source.ts";

const project = mkdtempSync(join(tmpdir(), "netwright-user-"));

function run(command: string, args: readonly string[], cwd = project): string {
  const shell = process.platform === "win32";
  return execFileSync(command, args, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"], shell });
}

/** The README's first block that trains, with its data read from the project's folder and only a few epochs. */
function tenLines(): string {
  const block = fencedBlocks(readText("README.md")).find(({ code }) => code.includes("await fit("));
  if (block === undefined) throw new Error("README.md has no block that calls fit");
  const code = block.code.replace("mnist()", 'mnist({ directory: "data" })');
  if (code === block.code) throw new Error("README.md's block does not call mnist()");
  const short = code.replace(/\bepochs: \d+\b/, "epochs: 3");
  if (short === code) throw new Error("README.md's block says no number of epochs");
  return short;
}

beforeAll(() => {
  if (!existsSync(join(root, "dist")))
    throw new Error("the package is not built: npm run build, or npm test");
  const [packed] = JSON.parse(
    run("npm", ["pack", "--json", "--ignore-scripts", "--pack-destination", project], root),
  ) as [{ filename: string }];
  writeFileSync(
    join(project, "package.json"),
    JSON.stringify({ name: "user", private: true, type: "module" }),
  );
  const quietly = [
    "--ignore-scripts",
    "--omit=optional",
    "--offline",
    "--no-audit",
    "--no-fund",
    "--loglevel=error",
  ];
  run("npm", ["install", ...quietly, `./${packed.filename}`]);
  mkdirSync(join(project, "data"));
  writeSmallMnist(join(project, "data"));
}, 120_000);

afterAll(() => {
  rmSync(project, { recursive: true, force: true });
});

const expected = /\{ loss: [\d.]+, accuracy: (\d[\d.]*) \}\s*$/;

function checkOutput(output: string): void {
  expect(output).toMatch(expected);
  expect(Number(expected.exec(output)![1])).toBeGreaterThan(0.9);
  expect(existsSync(join(project, "mnist.safetensors"))).toBe(true);
  rmSync(join(project, "mnist.safetensors"));
}

test("the ten lines run as plain JavaScript", () => {
  writeFileSync(join(project, "train.js"), tenLines());
  checkOutput(run(process.execPath, ["train.js"]));
});

/** TypeScript's own defaults for a Node project, and the oldest compiler that is supported. */
test.each(["typescript", "typescript-6"])(
  "the ten lines compile with %s and run",
  (compiler) => {
    writeFileSync(join(project, "main.ts"), tenLines());
    const compilerOptions = {
      target: "es2022",
      module: "nodenext",
      strict: true,
      // Our declarations are checked, those that come with the compiler are not.
      skipLibCheck: false,
      skipDefaultLibCheck: true,
      types: [],
      outDir: "out",
    };
    writeFileSync(join(project, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["main.ts"] }));
    run(process.execPath, [join(root, "node_modules", compiler, "bin", "tsc"), "-p", "."]);
    checkOutput(run(process.execPath, [join("out", "main.js")]));
  },
  120_000,
);

test("netwright doctor says what computes, and why it is not machine code", () => {
  const output = run("npx", ["--no-install", "netwright", "doctor", "--json"]);
  expect(JSON.parse(output)).toMatchObject({
    target: { name: "wasm" },
    problem: expect.stringMatching(/"koffi" is not installed|made for Linux on x64/),
    versions: { netwright: expect.any(String) },
  });
});

test("an error names the layer and the line in the user's file", () => {
  const code = [
    'import { tensor } from "netwright";',
    'import { Linear, Sequential } from "netwright/nn";',
    "const model = new Sequential(new Linear(4, 3));",
    "try {",
    "  model.forward(tensor([[1, 2, 3]]));",
    "} catch (error) {",
    "  console.log(error.message);",
    "}",
  ];
  writeFileSync(join(project, "shapes.js"), code.join("\n"));
  const message = run(process.execPath, ["shapes.js"]);
  expect(message).toContain('in layer "0"');
  expect(message).toMatch(/shapes\.js:5:\d+/);
});

test("a wrong chain of layers is red", () => {
  const code =
    'import { Linear, Sequential } from "netwright/nn";\nnew Sequential(new Linear(784, 64), new Linear(63, 10));\n';
  writeFileSync(join(project, "wrong.ts"), code);
  const compilerOptions = {
    target: "es2022",
    module: "nodenext",
    strict: true,
    skipLibCheck: true,
    types: [],
    noEmit: true,
  };
  writeFileSync(
    join(project, "tsconfig.wrong.json"),
    JSON.stringify({ compilerOptions, files: ["wrong.ts"] }),
  );
  const compile = (): string =>
    run(process.execPath, [
      join(root, "node_modules", "typescript", "bin", "tsc"),
      "-p",
      "tsconfig.wrong.json",
      "--pretty",
      "false",
    ]);
  let complaint = "";
  try {
    compile();
  } catch (error) {
    complaint = (error as { stdout: string }).stdout;
  }
  expect(complaint).toContain("Linear expects 63 features, the layer before gives 64");
});
