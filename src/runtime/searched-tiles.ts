/**
 * Tiles of products that `netwright tune-kernels` found on this machine: a file for each processor, instruction set and version of
 * the generator, in a folder that nobody but this user may write to. They choose speed, never a sum; what does not suit a
 * product, or does not read as it should, is as if it were not there.
 */
import { env, machine, packageVersion, privateFolder, userCacheFolder } from "#platform";
import type { TileChoice, TileChoices } from "../ir/target.ts";
import type { PrivateFolder } from "../platform/platform.ts";
import { checksumText } from "./program-cache/checksum.ts";

/** Raised when tiles mean something else, or other ones are best. */
const version = 1;
const mostBytes = 2 ** 20;
const mostProducts = 10_000;
/** More no instruction set has. */
const mostRegisters = 64;

interface TileFile {
  readonly format: number;
  readonly processor: string;
  readonly instructionSet: string;
  readonly generator: string;
  readonly tiles: Readonly<Record<string, TileChoice>>;
}

/** Choices as they were found, by product. */
class SearchedTiles implements TileChoices {
  readonly stamp: string;
  readonly tiles: ReadonlyMap<string, TileChoice>;

  constructor(stamp: string, tiles: ReadonlyMap<string, TileChoice>) {
    this.stamp = stamp;
    this.tiles = tiles;
  }

  of(product: string): TileChoice | undefined {
    return this.tiles.get(product);
  }
}

/** The folder, or undefined: none is to be used. */
function folderPath(): string | undefined {
  const text = env("NETWRIGHT_TILES") ?? "";
  if (text === "0") return undefined;
  return text === "" || text === "1" ? `${userCacheFolder()}/tiles` : text;
}

const head = (instructionSet: string): Omit<TileFile, "tiles"> => ({
  format: version,
  processor: machine().processor,
  instructionSet,
  generator: `${packageVersion("netwright")}`,
});

function fileName(instructionSet: string): string {
  const key = new TextEncoder().encode(JSON.stringify(head(instructionSet)));
  return `${checksumText(key)}.json`;
}

/** What the file for this machine holds; undefined where there is none that counts. */
export function searchedTiles(instructionSet: string): SearchedTiles | undefined {
  const path = folderPath();
  const folder = path === undefined ? undefined : privateFolder(path, { makes: false });
  if (folder === undefined || "reason" in folder) return undefined;
  return readTiles(folder, instructionSet);
}

function readTiles(folder: PrivateFolder, instructionSet: string): SearchedTiles | undefined {
  const bytes = folder.read(fileName(instructionSet), mostBytes);
  if (bytes === undefined) return undefined;
  const tiles = tilesIn(new TextDecoder().decode(bytes), instructionSet);
  return tiles && new SearchedTiles(checksumText(bytes), tiles);
}

/** Exported for tests: what such a text holds, or undefined: it is not whole, or for another machine. */
export function tilesIn(text: string, instructionSet: string): Map<string, TileChoice> | undefined {
  let found: Partial<TileFile>;
  try {
    found = JSON.parse(text) as Partial<TileFile>;
  } catch {
    return undefined;
  }
  if (typeof found !== "object" || found === null) return undefined;
  const wanted = Object.entries(head(instructionSet));
  if (!wanted.every(([name, value]) => found[name as keyof TileFile] === value)) return undefined;
  const entries = Object.entries(found.tiles ?? {});
  if (entries.length > mostProducts || !entries.every(([, choice]) => isChoice(choice))) return undefined;
  return new Map(entries);
}

function isChoice(choice: unknown): choice is TileChoice {
  if (typeof choice !== "object" || choice === null) return false;
  const { isExchanged, packsLeft, packsRight, height, groups } = choice as Record<string, unknown>;
  const isSize = (n: unknown): boolean =>
    Number.isInteger(n) && (n as number) > 0 && (n as number) <= mostRegisters;
  return (
    [isExchanged, packsLeft, packsRight].every((flag) => typeof flag === "boolean") &&
    isSize(height) &&
    isSize(groups)
  );
}

/**
 * Adds to the file of this machine; an undefined choice takes the product's out. Gives the file's path, or why nothing is kept.
 */
export function keepTiles(
  instructionSet: string,
  found: ReadonlyMap<string, TileChoice | undefined>,
): { readonly file: string } | { readonly reason: string } {
  const path = folderPath();
  if (path === undefined) return { reason: "NETWRIGHT_TILES=0 says that none are used" };
  const folder = privateFolder(path);
  if ("reason" in folder) return folder;
  const tiles = new Map(readTiles(folder, instructionSet)?.tiles);
  for (const [product, choice] of found) {
    if (choice === undefined) tiles.delete(product);
    else tiles.set(product, choice);
  }
  const file: TileFile = { ...head(instructionSet), tiles: Object.fromEntries(tiles) };
  const name = fileName(instructionSet);
  const isWritten = folder.write(name, new TextEncoder().encode(`${JSON.stringify(file, undefined, 1)}\n`));
  return isWritten ? { file: `${folder.path}/${name}` } : { reason: `${folder.path} cannot be written to` };
}

/** For `netwright doctor`. */
export interface TileFacts {
  readonly file: string;
  readonly products: number;
}

export function tileFacts(instructionSet: string): TileFacts | { readonly reason: string } | undefined {
  const path = folderPath();
  if (path === undefined) return { reason: "NETWRIGHT_TILES=0" };
  const folder = privateFolder(path, { makes: false });
  if ("reason" in folder) return folder.reason.startsWith("there is no folder") ? undefined : folder;
  const tiles = readTiles(folder, instructionSet);
  return tiles && { file: `${folder.path}/${fileName(instructionSet)}`, products: tiles.tiles.size };
}
