/**
 * The import order of `docs/architecture.md`: a room imports only itself and rooms above it, no file imports itself by a
 * detour, and only `platform/` names what Node or a browser alone has.
 */
import ts from "typescript-6";
import { expect, test } from "vitest";
import { type Import, importsOf, libraryFiles, parse, readText, resolveImport, roomOf } from "./source.ts";

/** The first column of the table of rooms, top to bottom; `codegen/x64` counts as `codegen`. */
function roomsInOrder(): string[] {
  const table = readText("docs/architecture.md")
    .split("\n")
    .filter((line) => line.startsWith("| `"));
  const names = table.flatMap((row) =>
    [...row.split("|")[1]!.matchAll(/`([a-z0-9]+)/g)].map((match) => match[1]!),
  );
  return [...new Set(names)];
}

interface Edge extends Import {
  readonly from: string;
  /** Undefined for a package. */
  readonly to: string | undefined;
}

const files = libraryFiles();
const sources = new Map(files.map((path) => [path, parse(path)]));
const edges: Edge[] = files.flatMap((from) =>
  importsOf(sources.get(from)!).map((found) => ({
    ...found,
    from,
    to: resolveImport(from, found.specifier),
  })),
);
const inside = edges.filter((edge): edge is Edge & { to: string } => edge.to !== undefined);
const describe = (edge: Edge): string => `${edge.from}:${edge.line} imports ${edge.specifier}`;

test("the table of rooms names every room of src", () => {
  const rooms = roomsInOrder();
  expect(rooms.slice(0, 3)).toEqual(["base", "platform", "graph"]);
  expect([...new Set(files.map(roomOf))].filter((room) => !rooms.includes(room))).toEqual([]);
});

test("every relative import names a file", () => {
  expect(inside.filter((edge) => !sources.has(edge.to)).map(describe)).toEqual([]);
});

test("a room imports only rooms above it, types included", () => {
  const rooms = roomsInOrder();
  const rank = (path: string): number => rooms.indexOf(roomOf(path));
  expect(inside.filter((edge) => rank(edge.to) > rank(edge.from)).map(describe)).toEqual([]);
});

test("no code generator imports another", () => {
  const targetOf = (path: string): string | undefined => /^src\/codegen\/([^/]+)\//.exec(path)?.[1];
  const crossing = inside.filter(
    ({ from, to }) => targetOf(from) && targetOf(to) && targetOf(from) !== targetOf(to),
  );
  expect(crossing.map(describe)).toEqual([]);
});

test.each(["testing", "cli", "dashboard"])("nothing imports %s", (room) => {
  const importers = inside.filter((edge) => roomOf(edge.to) === room && roomOf(edge.from) !== room);
  expect(importers.map(describe)).toEqual([]);
});

test("no cycle of imports among files", () => {
  const next = new Map<string, string[]>();
  for (const { from, to, isTypeOnly } of inside)
    if (!isTypeOnly) next.set(from, [...(next.get(from) ?? []), to]);
  expect(findCycle(next)?.join(" → ")).toBeUndefined();
});

/** The files of one cycle, the first repeated at the end; undefined when there is none. */
function findCycle(next: ReadonlyMap<string, readonly string[]>): string[] | undefined {
  const done = new Set<string>();
  const path: string[] = [];
  const visit = (file: string): string[] | undefined => {
    const at = path.indexOf(file);
    if (at >= 0) return [...path.slice(at), file];
    if (done.has(file)) return undefined;
    path.push(file);
    for (const target of next.get(file) ?? []) {
      const cycle = visit(target);
      if (cycle) return cycle;
    }
    path.pop();
    done.add(file);
    return undefined;
  };
  for (const file of next.keys()) {
    const cycle = visit(file);
    if (cycle) return cycle;
  }
  return undefined;
}

test("findCycle sees a detour and passes a diamond", () => {
  expect(
    findCycle(
      new Map([
        ["a", ["b"]],
        ["b", ["c"]],
        ["c", ["b"]],
      ]),
    ),
  ).toEqual(["b", "c", "b"]);
  expect(
    findCycle(
      new Map([
        ["a", ["b", "c"]],
        ["b", ["d"]],
        ["c", ["d"]],
      ]),
    ),
  ).toBeUndefined();
});

/** Packages that only some users need: they are loaded when they are used (`base/optional.ts`). */
const optionalPackages = Object.keys(
  (JSON.parse(readText("package.json")) as { peerDependencies?: Record<string, string> }).peerDependencies ??
    {},
);

test("nothing but platform imports a Node module, or a package before it is used", () => {
  const isOptional = (edge: Edge): boolean => edge.isWhenUsed && optionalPackages.includes(edge.specifier);
  const foreign = edges.filter((edge) => edge.to === undefined && roomOf(edge.from) !== "platform");
  expect(foreign.filter((edge) => !isOptional(edge)).map(describe)).toEqual([]);
});

/** What Node alone, or a page alone, defines. */
const hostGlobals = new Set(
  (
    "process Buffer global require module __dirname __filename setImmediate clearImmediate " +
    "window document navigator location self Worker localStorage XMLHttpRequest alert"
  ).split(" "),
);

/** Uses of host globals that the file does not itself declare or import. */
function hostGlobalsIn(source: ts.SourceFile): string[] {
  const declared = new Set<string>();
  const used: { name: string; line: number }[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isIdentifier(node) && hostGlobals.has(node.text)) {
      if (isDeclaredName(node)) declared.add(node.text);
      else if (!isMemberName(node)) {
        used.push({ name: node.text, line: source.getLineAndCharacterOfPosition(node.getStart()).line + 1 });
      }
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return used
    .filter(({ name }) => !declared.has(name))
    .map(({ name, line }) => `${source.fileName}:${line} ${name}`);
}

const isDeclaredName = ({ parent, text }: ts.Identifier): boolean =>
  (ts.isVariableDeclaration(parent) ||
    ts.isParameter(parent) ||
    ts.isBindingElement(parent) ||
    ts.isFunctionDeclaration(parent) ||
    ts.isImportSpecifier(parent) ||
    ts.isTypeParameterDeclaration(parent)) &&
  parent.name?.getText() === text;

const isMemberName = (node: ts.Identifier): boolean => {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent))
    return parent.name === node && parent.expression.getText() !== "globalThis";
  return (
    (ts.isPropertyAssignment(parent) ||
      ts.isPropertySignature(parent) ||
      ts.isPropertyDeclaration(parent) ||
      ts.isMethodDeclaration(parent) ||
      ts.isMethodSignature(parent) ||
      ts.isGetAccessorDeclaration(parent) ||
      ts.isNamedTupleMember(parent)) &&
    parent.name === node
  );
};

test("hostGlobalsIn tells a use from a member or a local of the same name", () => {
  const uses = (text: string): string[] => hostGlobalsIn(parse("a.ts", text));
  expect(uses("const path = process.cwd();")).toEqual(["a.ts:1 process"]);
  expect(uses("globalThis.process.exit(1);")).toEqual(["a.ts:1 process"]);
  expect(uses("interface A { module: string } const f = (a: A) => a.module;")).toEqual([]);
  expect(uses("function f(module: string) { return module; }")).toEqual([]);
});

test("only platform names what Node or a browser alone has", () => {
  const portable = files.filter((path) => roomOf(path) !== "platform");
  expect(portable.flatMap((path) => hostGlobalsIn(sources.get(path)!))).toEqual([]);
});
