/**
 * Types are tested as values are: programs in `test/types/*.right.ts` compile, and in `*.wrong.ts` each statement under a
 * line `// error: sentence` is red with that sentence, while nothing else is. Both compilers that users have must agree. They
 * read what users get: the built package's declarations.
 */
import { execFile } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));
const folder = `${root}test/types/`;
if (!existsSync(`${root}dist`)) throw new Error("the package is not built: npm run build, or npm test");
const files = readdirSync(folder).filter((name) => name.endsWith(".ts"));
const compilers = { "TypeScript 7": "typescript", "TypeScript 6": "typescript-6" };

interface Problem {
  readonly file: string;
  readonly line: number;
  readonly text: string;
}

/** What a compiler says about the programs, one entry an error. */
function compile(compiler: string): Promise<Problem[]> {
  const args = [
    `${root}node_modules/${compiler}/bin/tsc`,
    "-p",
    `${folder}tsconfig.json`,
    "--pretty",
    "false",
    // Sentences are the last part of long types: show them whole.
    "--noErrorTruncation",
  ];
  return new Promise((resolve) => {
    execFile(process.execPath, args, { cwd: root, maxBuffer: 1e8 }, (_error, stdout) =>
      resolve(parse(stdout)),
    );
  });
}

function parse(output: string): Problem[] {
  const problems: { file: string; line: number; text: string }[] = [];
  for (const line of output.split("\n")) {
    const head = line.match(/^(\S.*?)\((\d+),\d+\): error (TS\d+: .*)$/);
    if (head) problems.push({ file: head[1]!, line: Number(head[2]), text: head[3]! });
    else if (problems.length > 0) problems[problems.length - 1]!.text += `\n${line}`;
  }
  return problems;
}

interface Expected {
  readonly firstLine: number;
  readonly lastLine: number;
  readonly sentence: string;
}

/** Statements under a `// error:` line: up to the next such line, a blank line, or the end. */
function expectedErrors(source: string): Expected[] {
  const lines = source.split("\n");
  return lines.flatMap((line, i) => {
    const sentence = line.match(/^\/\/ error: (.*)$/)?.[1];
    if (sentence === undefined) return [];
    const after = lines.findIndex((next, j) => j > i && (next === "" || next.startsWith("// error:")));
    return [{ firstLine: i + 2, lastLine: after < 0 ? lines.length : after, sentence }];
  });
}

describe.each(Object.entries(compilers))(
  "%s",
  (_name, compiler) => {
    const run = compile(compiler);

    test.each(files.filter((name) => name.endsWith(".right.ts")))("%s compiles", async (file) => {
      const problems = (await run).filter((problem) => problem.file.endsWith(`/${file}`));
      expect(problems).toEqual([]);
    });

    test.each(files.filter((name) => name.endsWith(".wrong.ts")))("%s is red where it says", async (file) => {
      const problems = (await run).filter((problem) => problem.file.endsWith(`/${file}`));
      const expected = expectedErrors(readFileSync(folder + file, "utf8"));
      expect(expected.length).toBeGreaterThan(0);
      for (const { firstLine, lastLine, sentence } of expected) {
        const here = problems.filter(({ line }) => line >= firstLine && line <= lastLine);
        expect(here.map(({ text }) => text).join("\n"), `${file}:${firstLine}`).toContain(sentence);
      }
      const stray = problems.filter(
        ({ line }) => !expected.some(({ firstLine, lastLine }) => line >= firstLine && line <= lastLine),
      );
      expect(stray).toEqual([]);
    });

    test("reports nothing outside these programs", async () => {
      expect((await run).filter((problem) => !problem.file.startsWith("test/types/"))).toEqual([]);
    });
  },
  120_000,
);
