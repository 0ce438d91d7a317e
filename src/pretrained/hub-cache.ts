/**
 * Hugging Face's cache: `models--OWNER--NAME/` with `blobs/` by their hash, `snapshots/COMMIT/` of links to them, and `refs/`, which say the
 * commit of a branch. The same folders as those of `huggingface_hub` in Python.
 */
import { env, fileSize, joinPath, listFolder, platformName, readFile, userHome } from "#platform";
import { ArgumentError, FileError } from "../base/errors.ts";

/** `owner/name`, as models on the hub are called. */
export const isModelId = (text: string): boolean =>
  /^[A-Za-z0-9][\w.-]*\/[A-Za-z0-9][\w.-]*$/.test(text) && !text.includes("..");

export function requireModelId(id: string): void {
  if (isModelId(id)) return;
  throw new ArgumentError(
    `"${id}" is no name of a model; they are OWNER/NAME, such as HuggingFaceTB/SmolLM2-135M-Instruct`,
  );
}

/** Where Hugging Face's tools keep what they fetched, by the variables that they read. */
export function hubCacheFolder(): string {
  const own = env("HF_HUB_CACHE") ?? env("HUGGINGFACE_HUB_CACHE");
  if (own) return own;
  const home =
    env("HF_HOME") || joinPath(env("XDG_CACHE_HOME") || joinPath(userHome(), ".cache"), "huggingface");
  return joinPath(home, "hub");
}

export const modelFolder = (cache: string, id: string): string =>
  joinPath(cache, `models--${id.replace("/", "--")}`);

/** The folder of a model by its name, or the GGUF file in it; undefined where `path` is a folder, or no such name. */
export async function cachedModel(path: string): Promise<string | undefined> {
  // In a page a path is a URL, and there is no cache.
  if ((platformName as string) === "browser" || !isModelId(path) || (await listFolder(path)) !== undefined)
    return undefined;
  const folder = modelFolder(hubCacheFolder(), path);
  const commit = await commitOf(folder, "main");
  const missing = new FileError(
    `"${path}" is no folder, and no model of that name is in "${hubCacheFolder()}": fetch it with netwright pull ${path}`,
  );
  if (commit === undefined) throw missing;
  const snapshot = joinPath(joinPath(folder, "snapshots"), commit);
  const names = ((await listFolder(snapshot)) ?? []).map(({ name }) => name);
  if (names.includes("config.json")) return snapshot;
  const files = names.filter((name) => name.endsWith(".gguf"));
  if (files.length === 1) return joinPath(snapshot, files[0]!);
  if (files.length === 0) throw missing;
  throw new ArgumentError(
    `"${path}" has ${files.length} GGUF files in the cache: open one, "${joinPath(snapshot, files[0]!)}"`,
  );
}

/** The commit that a branch, tag or commit stands for in the cache. */
export async function commitOf(folder: string, revision: string): Promise<string | undefined> {
  const ref = joinPath(joinPath(folder, "refs"), revision);
  if ((await fileSize(ref)) === undefined) return undefined;
  const commit = new TextDecoder().decode(await readFile(ref)).trim();
  return isCommit(commit) ? commit : undefined;
}

export const isCommit = (text: string): boolean => /^[0-9a-f]{40}$/.test(text);
