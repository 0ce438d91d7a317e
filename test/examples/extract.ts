/** Finds the examples of the docs: ```ts blocks of Markdown files, and `@example` tags of docstrings. */
import ts from "typescript-6";
import { filesUnder, libraryFiles, parse, readText } from "../source.ts";

export interface Example {
  readonly file: string;
  /** The line of `file` on which `code` begins. */
  readonly line: number;
  readonly code: string;
  /** A docstring's example may use what its file exports, and public names, without importing them. */
  readonly isDocstring: boolean;
}

/** The reference is made from docstrings, whose examples are found there. */
const isWritten = (path: string): boolean => path.endsWith(".md") && !path.startsWith("docs/reference/");

export function allExamples(): Example[] {
  const pages = ["README.md", ...filesUnder("docs", isWritten)];
  return [
    ...pages.flatMap((file) => markdownExamples(file, readText(file))),
    ...libraryFiles().flatMap((file) => docstringExamples(file, readText(file))),
  ];
}

export function markdownExamples(file: string, text: string): Example[] {
  return fencedBlocks(text).map(({ code, line }) => ({ file, line: line + 1, code, isDocstring: false }));
}

export function docstringExamples(file: string, text: string): Example[] {
  const source = parse(file, text);
  const tags = new Set<ts.JSDocTag>();
  const visit = (node: ts.Node): void => {
    for (const tag of ts.getJSDocTags(node)) if (tag.tagName.text === "example") tags.add(tag);
    ts.forEachChild(node, visit);
  };
  visit(source);
  return [...tags].flatMap((tag) => {
    // The parser drops what follows "@" signs and some spacing from a tag's comment: read the text itself.
    const { line } = source.getLineAndCharacterOfPosition(tag.tagName.end);
    const written = text.slice(tag.tagName.end, tag.end).replace(/\*\/\s*$/, "");
    const body = written
      .split("\n")
      .map((row, index) => (index === 0 ? row : row.replace(/^\s*\* ?/, "")))
      .join("\n");
    const blocks = body.includes("```") ? fencedBlocks(body) : [{ code: body.trimEnd(), line: 0 }];
    return blocks.map((block) => ({
      file,
      line: line + block.line + 1,
      code: block.code,
      isDocstring: true,
    }));
  });
}

/** The contents of ```ts blocks, with the number of lines before each. */
export function fencedBlocks(text: string): { code: string; line: number }[] {
  const fence = /^```ts\b[^\n]*\n([\s\S]*?)^```/gm;
  return [...text.matchAll(fence)].map((match) => ({
    code: match[1]!.trimEnd(),
    line: text.slice(0, match.index).split("\n").length,
  }));
}

/** The reason for which a block is only type-checked: its first line says `// not run: …`. */
export const reasonNotToRun = ({ code }: Example): string | undefined =>
  /^\s*\/\/ not run: (.+)/.exec(code)?.[1];
