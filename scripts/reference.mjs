/**
 * The reference pages: every public name with its signature and docstring, one page an entry of the package.
 *
 *     npm run docs          writes docs/reference/*.md
 *
 * A room with very many names (`nn`) has a page for each of its files.
 *
 * A page is what the sources say, nothing is kept by hand. A public name without a docstring is an error.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript-6";

const root = fileURLToPath(new URL("..", import.meta.url));

/** The package's entries: name → source file. */
function entries() {
  const { name, exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  return Object.entries(exports).flatMap(([key, target]) => {
    const room = /^\.\/dist\/(\w+)\/index\.js$/.exec(target.default ?? "")?.[1];
    return room === undefined
      ? []
      : [{ name: join(name, key), room, file: join(root, "src", room, "index.ts") }];
  });
}

/** Pages by file name, and public names that have no docstring. */
export function reference() {
  const all = entries();
  const { config } = ts.readConfigFile(join(root, "tsconfig.json"), ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, root);
  const program = ts.createProgram(
    all.map(({ file }) => file),
    { ...options, noEmit: true },
  );
  const sources = all.map(({ file }) => program.getSourceFile(file));
  const reader = new Reader(program.getTypeChecker(), sources);
  const pages = new Map(all.flatMap((entry, i) => reader.pages(entry, sources[i])));
  pages.set("README.md", overview(all, pages));
  return { pages, undocumented: reader.undocumented };
}

function overview(all, pages) {
  const rows = all.map(({ name, room }) => {
    const own = [...pages].filter(([file]) => file === `${room}.md` || file.startsWith(`${room}-`));
    const titles = own.flatMap(([, text]) => [...text.matchAll(/^## (.+)$/gm)].map(([, title]) => title));
    const names = titles.sort(byName).map((title) => `\`${title}\``);
    return `| [\`${name}\`](${room}.md) | ${names.join(", ")} |`;
  });
  return `# Reference

Every public name, made from the sources by \`npm run docs\`; every example on these pages is run by the tests.

| import from | names |
|---|---|
${rows.join("\n")}
`;
}

/** More would be a page that nobody reads. */
const mostOnAPage = 150;

const byName = (a, b) => a.toLowerCase().localeCompare(b.toLowerCase()) || (a < b ? -1 : 1);

class Reader {
  undocumented = [];
  #checker;
  /** Everything that has a section on some page. */
  #public;

  constructor(checker, sources) {
    this.#checker = checker;
    this.#public = new Set(sources.flatMap((source) => this.#exportsOf(source).map(([, symbol]) => symbol)));
  }

  /** Public names with what they stand for; those of a namespace (`random.normal`) follow it. */
  #exportsOf(source) {
    return this.#namesIn(this.#checker.getSymbolAtLocation(source), "");
  }

  #namesIn(module, prefix) {
    return this.#checker.getExportsOfModule(module).flatMap((exported) => {
      const symbol = this.#original(exported);
      const own = [`${prefix}${exported.name}`, symbol];
      return isModule(symbol) ? [own, ...this.#namesIn(symbol, `${exported.name}.`)] : [own];
    });
  }

  /** The page of an entry; one with very many names has a page for each of its files (a family of layers), and a list of them. */
  pages(entry, source) {
    const { name, room } = entry;
    const symbols = this.#exportsOf(source).sort(([a], [b]) => byName(a, b));
    const head = moduleText(source);
    const top = `# ${name}\n\n${head ? `${head}\n\n` : ""}Source: [src/${room}](../../src/${room})\n\n`;
    if (symbols.length <= mostOnAPage) return [[`${room}.md`, top + this.#sections(name, symbols)]];
    const families = new Map();
    for (const symbol of symbols) {
      const file = symbol[1].declarations[0].getSourceFile();
      families.set(file, [...(families.get(file) ?? []), symbol]);
    }
    const pageOf = (file) => `${room}-${basename(file.fileName, ".ts")}.md`;
    const sorted = [...families].sort(([a], [b]) => byName(pageOf(a), pageOf(b)));
    const rows = sorted.map(([file, own]) => {
      const titles = own.map(([title]) => `\`${title}\``).join(", ");
      return `| [${basename(file.fileName, ".ts")}](${pageOf(file)}) | ${titles} |`;
    });
    const list = `| page | names |\n|---|---|\n${rows.join("\n")}\n`;
    return [
      [`${room}.md`, top + list],
      ...sorted.map(([file, own]) => [
        pageOf(file),
        `# ${name}: ${basename(file.fileName, ".ts")}\n\n${moduleText(file)}\n\n${this.#sections(name, own)}`,
      ]),
    ];
  }

  #sections(name, symbols) {
    return symbols.map(([title, symbol]) => this.#section(`${name}: ${title}`, title, symbol)).join("\n");
  }

  #isElsewhere(member, symbol) {
    const bases = this.#checker.getDeclaredTypeOfSymbol(symbol).getBaseTypes() ?? [];
    return bases.some((base) => {
      const inherited = base.getProperty(member.name);
      if (inherited?.declarations?.[0] !== member.declarations?.[0]) return false;
      return this.#public.has(base.symbol) || this.#isElsewhere(member, base.symbol);
    });
  }

  #original(symbol) {
    return symbol.flags & ts.SymbolFlags.Alias ? this.#checker.getAliasedSymbol(symbol) : symbol;
  }

  #section(place, title, symbol) {
    const [declaration] = symbol.declarations;
    const file = relative(root, declaration.getSourceFile().fileName).replaceAll("\\", "/");
    if (isModule(symbol)) return `## ${title}\n\n${moduleText(declaration)}\n\n[${file}](../../${file})\n`;
    const text = this.#documentation(place, symbol);
    const members = this.#members(place, symbol);
    const where = `[${file}](../../${file})`;
    return `## ${title}\n\n${fence(signatures(symbol))}\n\n${text}\n\n${members}${where}\n`;
  }

  #documentation(place, symbol, isMember = false) {
    const checker = this.#checker;
    const text = ts.displayPartsToString(symbol.getDocumentationComment(checker)).trim();
    const tags = symbol.getJsDocTags(checker);
    const needsText = (symbol.flags & (ts.SymbolFlags.Function | ts.SymbolFlags.Class)) !== 0 && !isMember;
    if (needsText && text === "") this.undocumented.push(place);
    return [text, ...tags.map(tagText)].filter((part) => part !== "").join("\n\n");
  }

  /** Public methods and properties; what it inherits from another public class stands there. */
  #members(place, symbol) {
    if (!(symbol.flags & (ts.SymbolFlags.Class | ts.SymbolFlags.Interface))) return "";
    const own = this.#checker.getDeclaredTypeOfSymbol(symbol).getProperties();
    const here = own.filter((member) => isPublic(member) && !this.#isElsewhere(member, symbol));
    const rows = here.map((member) => {
      const text = this.#documentation(`${place}.${member.name}`, member, true);
      return `### ${symbol.name}.${member.name}\n\n${fence(signatures(member))}${text ? `\n\n${text}` : ""}\n`;
    });
    return rows.length > 0 ? `${rows.join("\n")}\n` : "";
  }
}

const isModule = (symbol) => (symbol.flags & ts.SymbolFlags.ValueModule) !== 0;

const isPublic = (member) =>
  !member.name.startsWith("__") &&
  !member.name.startsWith("#") &&
  (member.declarations ?? []).every(
    (declaration) =>
      !(ts.getCombinedModifierFlags(declaration) & (ts.ModifierFlags.Private | ts.ModifierFlags.Protected)) &&
      declaration.getSourceFile().fileName.startsWith(root),
  );

function moduleText(source) {
  const comment = /^(?:\/\/\/[^\n]*\n)?\/\*\*([\s\S]*?)\*\//.exec(source.text)?.[1] ?? "";
  return comment.replace(/^\s*\* ?/gm, "").trim();
}

const tagNames = { param: "", throws: "Throws", returns: "Returns" };

function tagText({ name, text = [] }) {
  const body = ts.displayPartsToString(text).trim();
  if (name === "example") return body.includes("```") ? body : fence(body);
  if (name === "param") return body.replace(/^(\S+)\s*/, "- `$1`: ");
  const title = tagNames[name];
  return title === undefined ? "" : `*${title}* ${body}`;
}

const fence = (code) => `\`\`\`ts\n${code}\n\`\`\``;

/** Declarations as written, without bodies. */
function signatures(symbol) {
  const declarations = (symbol.declarations ?? []).filter(
    (declaration, _, all) =>
      !("body" in declaration && declaration.body) || all.length === 1 || ts.isGetAccessor(declaration),
  );
  const texts = (declarations.length > 0 ? declarations : (symbol.declarations ?? [])).map(head);
  return [...new Set(texts)].join("\n");
}

function head(declaration) {
  const text = (node) => node.getText().replace(/\s*\n\s*/g, " ");
  if (ts.isVariableDeclaration(declaration)) {
    const value = declaration.initializer;
    if (declaration.type) return `const ${text(declaration.name)}: ${text(declaration.type)}`;
    if (value && ts.isArrowFunction(value))
      return `const ${text(declaration.name)} = ${upTo(value, value.equalsGreaterThanToken.end)} …`;
    return `const ${text(declaration.name)}`;
  }
  if (ts.isClassDeclaration(declaration) || ts.isInterfaceDeclaration(declaration)) {
    const heritage = (declaration.heritageClauses ?? []).map(text).join(" ");
    const types = declaration.typeParameters ? `<${declaration.typeParameters.map(text).join(", ")}>` : "";
    const kind = ts.isClassDeclaration(declaration) ? "class" : "interface";
    return `${kind} ${declaration.name.text}${types}${heritage ? ` ${heritage}` : ""}`;
  }
  if ("body" in declaration && declaration.body) return upTo(declaration, declaration.body.pos);
  return text(declaration).replace(/^export /, "");
}

const upTo = (node, end) =>
  node
    .getSourceFile()
    .text.slice(node.getStart(), end)
    .replace(/\s*\n\s*/g, " ")
    .replace(/^export /, "")
    .trim();

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { pages, undocumented } = reference();
  if (undocumented.length > 0) {
    console.error(`these public names have no docstring:\n  ${undocumented.join("\n  ")}`);
    process.exit(1);
  }
  const folder = join(root, "docs", "reference");
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const [name, text] of pages) writeFileSync(join(folder, name), text);
  console.log(`${pages.size} pages in ${relative(process.cwd(), folder)}`);
}
