/** Reading the library's own source for tests about it: files, syntax trees, imports. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript-6";

export const root: string = fileURLToPath(new URL("..", import.meta.url)).replace(/[\\/]$/, "");

/** Paths relative to the repository's root, with forward slashes. */
export function filesUnder(folder: string, accept: (path: string) => boolean): string[] {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(root, join(entry.parentPath, entry.name)).replaceAll("\\", "/"))
    .filter(accept)
    .sort();
}

export const isTest = (path: string): boolean => /\.test\.ts$/.test(path);

/** The library's modules, without their tests. */
export const libraryFiles = (): string[] =>
  filesUnder("src", (path) => path.endsWith(".ts") && !isTest(path));

export const readText = (path: string): string => readFileSync(join(root, path), "utf8");

export const parse = (path: string, text: string = readText(path)): ts.SourceFile =>
  ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);

export interface Import {
  readonly specifier: string;
  readonly line: number;
  /** Erased at run time: `import type`, `export type`, `import("…")` in a type. */
  readonly isTypeOnly: boolean;
  /** Not loaded with the file: `import("…")`, and what is erased. */
  readonly isWhenUsed: boolean;
}

/** Every module a file names: imports, re-exports, dynamic imports, imports in types. */
export function importsOf(source: ts.SourceFile): Import[] {
  const found: Import[] = [];
  const add = (
    node: ts.Node,
    specifier: ts.Node | undefined,
    { isTypeOnly = false, isWhenUsed = false },
  ): void => {
    if (specifier === undefined || !ts.isStringLiteralLike(specifier)) return;
    const line = source.getLineAndCharacterOfPosition(node.getStart()).line + 1;
    found.push({ specifier: specifier.text, line, isTypeOnly, isWhenUsed: isWhenUsed || isTypeOnly });
  };
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) {
      add(node, node.moduleSpecifier, {
        isTypeOnly: node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword,
      });
    } else if (ts.isExportDeclaration(node)) add(node, node.moduleSpecifier, node);
    else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument))
      add(node, node.argument.literal, { isTypeOnly: true });
    else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      add(node, node.arguments[0], { isWhenUsed: true });
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

/** The file a relative import , `#platform` or `#native` means; undefined for packages. */
export function resolveImport(from: string, specifier: string): string | undefined {
  if (specifier === "#platform") return "src/platform/node.ts";
  if (specifier === "#native") return "src/runtime/native.ts";
  if (!specifier.startsWith(".")) return undefined;
  return relative(root, resolve(root, dirname(from), specifier)).replaceAll("\\", "/");
}

/** `src/nn/linear.ts` is in the room `nn`. */
export const roomOf = (path: string): string => path.split("/")[1]!;
