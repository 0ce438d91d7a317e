/** What the package exports, with the docstrings where it is declared. */
import ts from "typescript-6";
import { libraryFiles, parse, readText, resolveImport } from "../source.ts";

export interface PublicName {
  readonly entry: string;
  readonly name: string;
  /** Where it is declared. */
  readonly file: string;
  readonly declarations: readonly ts.Node[];
}

/** Every value (function, class or constant) of every entry, where its docstring stands. */
export function publicValues(): PublicName[] {
  const { exports } = JSON.parse(readText("package.json")) as {
    exports: Record<string, { default?: string } | string>;
  };
  const files = new Set(libraryFiles());
  return Object.entries(exports).flatMap(([entry, target]) => {
    const path = typeof target === "string" ? undefined : target.default;
    const file = path?.replace("./dist/", "src/").replace(/\.js$/, ".ts");
    if (file === undefined || !files.has(file)) return [];
    return [...valuesOf(file)].map(([name, place]) => ({ entry, name, ...place }));
  });
}

type Place = Pick<PublicName, "file" | "declarations">;
const placesByFile = new Map<string, ReadonlyMap<string, Place>>();

/** The values that a file exports, through re-exports too. */
function valuesOf(file: string): ReadonlyMap<string, Place> {
  const known = placesByFile.get(file);
  if (known !== undefined) return known;
  const places = new Map<string, Place>();
  placesByFile.set(file, places);
  for (const statement of parse(file).statements) {
    if (ts.isExportDeclaration(statement)) addReExports(file, statement, places);
    else if (isExported(statement)) addOwn(file, statement, places);
  }
  return places;
}

function addReExports(
  file: string,
  { exportClause, moduleSpecifier, isTypeOnly }: ts.ExportDeclaration,
  places: Map<string, Place>,
): void {
  if (isTypeOnly || moduleSpecifier === undefined || !ts.isStringLiteral(moduleSpecifier)) return;
  const from = valuesOf(resolveImport(file, moduleSpecifier.text)!);
  if (exportClause === undefined) for (const [name, place] of from) places.set(name, place);
  else if (ts.isNamedExports(exportClause)) {
    for (const { name, propertyName, isTypeOnly: isType } of exportClause.elements) {
      const place = from.get((propertyName ?? name).text);
      if (!isType && place !== undefined) places.set(name.text, place);
    }
  } else for (const [name, place] of from) places.set(`${exportClause.name.text}.${name}`, place);
}

function addOwn(file: string, statement: ts.Statement, places: Map<string, Place>): void {
  const add = (name: string): void => {
    const before = places.get(name)?.declarations ?? [];
    places.set(name, { file, declarations: [...before, statement] });
  };
  if (ts.isVariableStatement(statement)) {
    for (const { name } of statement.declarationList.declarations) if (ts.isIdentifier(name)) add(name.text);
  } else if ((ts.isFunctionDeclaration(statement) || ts.isClassDeclaration(statement)) && statement.name)
    add(statement.name.text);
}

const isExported = (statement: ts.Statement): boolean =>
  ts.canHaveModifiers(statement) &&
  (ts.getModifiers(statement)?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword) ?? false);

/** Whether a function or class shows how it is used: its docstring, or one of a member's, has an example. */
export function hasExample({ declarations }: PublicName): boolean {
  const found = (node: ts.Node): boolean =>
    ts.getJSDocTags(node).some(({ tagName }) => tagName.text === "example") ||
    (ts.isClassDeclaration(node) && node.members.some(found));
  return declarations.some(found);
}

/** Functions and classes; constants that hold no function need no example. */
export const isUsable = ({ declarations }: PublicName): boolean =>
  declarations.some(
    (node) =>
      ts.isFunctionDeclaration(node) ||
      ts.isClassDeclaration(node) ||
      (ts.isVariableStatement(node) &&
        node.declarationList.declarations.some(
          ({ initializer }) => initializer !== undefined && ts.isArrowFunction(initializer),
        )),
  );
