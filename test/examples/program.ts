/**
 * Makes a module of an example: missing imports are added, and each output that its comments claim is checked.
 *
 *     1 + 1; // 2                     a literal: compared with the value (an explanation may follow a colon)
 *     const x = sum([1, 2]); // 3     likewise for a variable
 *     x.add(1); // 2, 3               several: the elements of an array or tensor
 *     x.reshape([2, 1]); // (2, 1)    a shape (after an arrow if there is one)
 *     console.log(table); // → a b    the printed text; further lines begin with `// ` on lines of their own
 */
import { existsSync } from "node:fs";
import ts from "typescript-6";
import { libraryFiles, parse, readText, resolveImport, roomOf, root } from "../source.ts";
import type { Example } from "./extract.ts";

/** The source of a module that runs the example; lines keep their numbers after the first two. */
export function programOf(example: Example): string {
  const source = parse("example.ts", withAbsoluteImports(example));
  const imports = example.isDocstring ? missingImports(source, example.file) : [];
  const head = `import { checkValue as $checkValue, output as console } from "../../test/examples/runtime.ts"; ${imports.join(" ")}`;
  return `${head}\n${withChecks(source, example)}\nexport {};\n`;
}

/** Imports relative to the page, as seen from where examples run. */
const withAbsoluteImports = ({ code, file }: Example): string =>
  code.replace(
    /(from |import\()"(\.[^"]*)"/g,
    (_, head, path) => `${head}"../../${resolveImport(file, path)}"`,
  );

/** Lines of text that stand before the example's own first line. */
export const linesBefore = 1;

interface Edit {
  readonly at: number;
  readonly text: string;
}

function withChecks(source: ts.SourceFile, { file, line }: Example): string {
  const edits = source.statements.flatMap((statement): Edit[] => {
    const claim = claimAfter(source, statement);
    if (claim === undefined) return [];
    const at = source.getLineAndCharacterOfPosition(statement.end).line + line;
    const place = JSON.stringify(`${file}:${at}`);
    const expected = JSON.stringify(claim.expected);
    if (isPrint(statement)) return [{ at: statement.end, text: ` console.check(${place}, ${expected});` }];
    if (claim.kind === "text") {
      throw new Error(
        `${file}:${at}: "// → text" stands after console.log; elsewhere write the value itself`,
      );
    }
    if (ts.isExpressionStatement(statement)) {
      const { expression } = statement;
      return [
        { at: expression.getStart(), text: "await $checkValue(" },
        { at: expression.end, text: `, ${place}, ${expected})` },
      ];
    }
    const name = declaredName(statement);
    return name === undefined
      ? []
      : [{ at: statement.end, text: ` await $checkValue(${name}, ${place}, ${expected});` }];
  });
  let code = source.text;
  for (const { at, text } of edits.reverse()) code = code.slice(0, at) + text + code.slice(at);
  return code;
}

const isPrint = (statement: ts.Statement): boolean =>
  ts.isExpressionStatement(statement) && /^console\.log\(/.test(statement.getText());

function declaredName(statement: ts.Statement): string | undefined {
  if (!ts.isVariableStatement(statement)) return undefined;
  const { declarations } = statement.declarationList;
  return declarations.length === 1 && ts.isIdentifier(declarations[0]!.name)
    ? declarations[0]!.name.text
    : undefined;
}

interface Claim {
  readonly kind: "text" | "literal";
  readonly expected: string;
}

/** What the comment behind a statement (or on the line after a print) claims. */
function claimAfter(source: ts.SourceFile, statement: ts.Statement): Claim | undefined {
  const [behind, ...rest] = source.text.slice(statement.end).split("\n");
  const first =
    /^\s*\/\/ ?(.*)$/.exec(behind!)?.[1] ?? (behind!.trim() === "" ? followingArrow(rest) : undefined);
  if (first === undefined) return undefined;
  if (!first.startsWith("→")) {
    const literal = shapeAtEnd(first) ?? literalAtStart(first);
    return literal === undefined ? undefined : { kind: "literal", expected: literal };
  }
  const onOwnLine = /^\s*\/\/ →/.test(behind!) ? rest : rest.slice(1);
  const more: string[] = [];
  for (const row of onOwnLine) {
    const text = /^\s*\/\/ ?(.*)$/.exec(row)?.[1];
    if (text === undefined || text.startsWith("→")) break;
    more.push(text.replace(/^ {2}/, ""));
  }
  return { kind: "text", expected: [first.replace(/^→ ?/, ""), ...more].join("\n") };
}

const followingArrow = ([next = ""]: readonly string[]): string | undefined =>
  /^\s*\/\/ (→.*)$/.exec(next)?.[1];

/** `(2, 3)`, or `… → (2, 3)`: the shape of the result. */
const shapeAtEnd = (comment: string): string | undefined =>
  /(?:^|→ )(\(\d*(?:, ?\d+)*,?\))$/.exec(comment.trim())?.[1];

/** The comment's beginning, as far as it is a JavaScript literal; undefined when it is prose. */
function literalAtStart(comment: string): string | undefined {
  const text = comment.trim();
  const ends = [text.length, ...[...text.matchAll(/[:;]| [—–(]/g)].map((match) => match.index)];
  for (const end of ends.sort((a, b) => b - a)) {
    const candidate = text.slice(0, end).trim();
    if (candidate === "") continue;
    if (isLiteral(candidate)) return candidate;
    if (isLiteral(`[${candidate}]`)) return `[${candidate}]`;
  }
  return undefined;
}

function isLiteral(text: string): boolean {
  const source = ts.createSourceFile("literal.ts", `(${text})`, ts.ScriptTarget.Latest, true);
  const [statement] = source.statements;
  if (source.statements.length !== 1 || !ts.isExpressionStatement(statement!)) return false;
  const outer = statement.expression;
  if (!ts.isParenthesizedExpression(outer) || outer.end !== text.length + 2) return false;
  const accepted = (node: ts.Node): boolean =>
    ts.isNumericLiteral(node) ||
    ts.isStringLiteral(node) ||
    node.kind === ts.SyntaxKind.TrueKeyword ||
    node.kind === ts.SyntaxKind.FalseKeyword ||
    node.kind === ts.SyntaxKind.NullKeyword ||
    (ts.isIdentifier(node) && ["NaN", "Infinity", "undefined"].includes(node.text)) ||
    (ts.isPrefixUnaryExpression(node) && accepted(node.operand)) ||
    (ts.isArrayLiteralExpression(node) && node.elements.every(accepted)) ||
    (ts.isObjectLiteralExpression(node) &&
      node.properties.every(
        (property) => ts.isPropertyAssignment(property) && accepted(property.initializer),
      ));
  return accepted(outer.expression);
}

/** Import statements for the names that an example uses and does not declare. */
function missingImports(source: ts.SourceFile, file: string): string[] {
  const own = exportsOf(file);
  return freeNames(source).flatMap((name) => {
    if (own.has(name)) return [importLine(name, `../../${file}`)];
    const source = sourcesOf(file).find(({ names }) => names.has(name));
    return source === undefined ? [] : [importLine(name, source.specifier)];
  });
}

/**
 * Where an example's free names may come from, in order: what the package exports (inside the compiler: the graph's ops),
 * and the stage, which declares what examples take as given. A file's own stage comes before the common one.
 */
function sourcesOf(file: string): readonly Source[] {
  const own = `test/examples/stages/${file.replace(/^src\//, "").replaceAll("/", "-")}`;
  const isPublic = isPublicRoom(roomOf(file));
  const stages = [own, `test/examples/stages/${isPublic ? "user" : "graph"}.ts`].filter((path) =>
    existsSync(`${root}/${path}`),
  );
  const ops = { specifier: "../../src/ops/index.ts", names: exportsOf("src/ops/index.ts") };
  const staged = stages.map((path) => ({ specifier: `../../${path}`, names: exportsOf(path) }));
  return isPublic ? [...publicRooms(), ...staged] : [...staged, ops, ...publicRooms()];
}

/** Types are imported the same way: the checker of the examples allows it. */
const importLine = (name: string, from: string): string => `import { ${name} } from "${from}";`;

/** Names that are used outside of the scopes that declare them. */
function freeNames(source: ts.SourceFile): string[] {
  const free = new Set<string>();
  const visit = (node: ts.Node, bound: ReadonlySet<string>): void => {
    if (ts.isIdentifier(node) && isUse(node) && !bound.has(node.text) && !(node.text in globalThis))
      free.add(node.text);
    const inner =
      ts.isFunctionLike(node) || ts.isBlock(node) || ts.isSourceFile(node) || ts.isForOfStatement(node);
    const names = inner ? new Set([...bound, ...namesDeclaredIn(node)]) : bound;
    ts.forEachChild(node, (child) => visit(child, names));
  };
  visit(source, new Set());
  return [...free];
}

/** Names that a scope declares itself, not in scopes within. */
function namesDeclaredIn(scope: ts.Node): string[] {
  const names: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isIdentifier(node) && isBinding(node)) names.push(node.text);
    if (!ts.isFunctionLike(node) && !ts.isBlock(node)) ts.forEachChild(node, visit);
    else if (ts.isFunctionDeclaration(node) && node.name) names.push(node.name.text);
  };
  ts.forEachChild(scope, visit);
  return names;
}

const isBinding = (node: ts.Identifier): boolean => {
  const { parent } = node;
  const named = parent as ts.Node & { readonly name?: ts.Node };
  return (
    named.name === node &&
    !ts.isPropertyAccessExpression(parent) &&
    !ts.isPropertyAssignment(parent) &&
    !ts.isShorthandPropertyAssignment(parent)
  );
};

const isUse = (node: ts.Identifier): boolean =>
  !isBinding(node) &&
  !(
    (ts.isPropertyAccessExpression(node.parent) || ts.isPropertyAssignment(node.parent)) &&
    node.parent.name === node
  ) &&
  !(ts.isBindingElement(node.parent) && node.parent.propertyName === node);

const isPublicRoom = (room: string): boolean =>
  room === "tensor" || publicRooms().some(({ specifier }) => specifier === `netwright/${room}`);

interface Source {
  readonly specifier: string;
  readonly names: ReadonlySet<string>;
}

let rooms: Source[] | undefined;

/** What `package.json` exports, by the names in each entry. */
function publicRooms(): readonly Source[] {
  if (rooms) return rooms;
  const { exports } = JSON.parse(readText("package.json")) as { exports: Record<string, unknown> };
  const files = new Set(libraryFiles());
  rooms = Object.entries(exports).flatMap(([entry, target]) => {
    const file = (target as { default?: string }).default?.replace("./dist/", "src/").replace(/\.js$/, ".ts");
    if (file === undefined || !files.has(file)) return [];
    return [{ specifier: entry === "." ? "netwright" : `netwright/${roomOf(file)}`, names: exportsOf(file) }];
  });
  return rooms;
}

const exportsByFile = new Map<string, ReadonlySet<string>>();

/** The names a file exports, through `export *` too. */
function exportsOf(file: string): ReadonlySet<string> {
  const names = exportsByFile.get(file) ?? readExports(file);
  exportsByFile.set(file, names);
  return names;
}

function readExports(file: string): ReadonlySet<string> {
  const names = new Set<string>();
  for (const statement of parse(file).statements) {
    if (ts.isExportDeclaration(statement)) {
      const { exportClause, moduleSpecifier } = statement;
      if (exportClause && ts.isNamedExports(exportClause)) {
        for (const { name } of exportClause.elements) names.add(name.text);
      } else if (exportClause && ts.isNamespaceExport(exportClause)) {
        names.add(exportClause.name.text);
      } else if (exportClause === undefined && moduleSpecifier && ts.isStringLiteral(moduleSpecifier)) {
        const target = new URL(moduleSpecifier.text, `file:///${file}`).pathname.slice(1);
        for (const name of exportsOf(target)) names.add(name);
      }
    } else if (ts.canHaveModifiers(statement)) {
      const isExported = ts.getModifiers(statement)?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword);
      if (isExported) for (const name of declaredNames(statement)) names.add(name);
    }
  }
  return names;
}

const boundNames = (name: ts.BindingName): string[] =>
  ts.isIdentifier(name)
    ? [name.text]
    : name.elements.flatMap((element) => (ts.isOmittedExpression(element) ? [] : boundNames(element.name)));

const declaredNames = (statement: ts.Statement): string[] =>
  ts.isVariableStatement(statement)
    ? statement.declarationList.declarations.flatMap(({ name }) => boundNames(name))
    : [(statement as ts.Statement & { readonly name?: ts.Identifier }).name?.text ?? ""];
