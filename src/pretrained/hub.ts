/** Fetching published models into Hugging Face's cache. */

import {
  appendFile,
  downloadChunks,
  env,
  fileSize,
  gitBlobId,
  joinPath,
  linkFile,
  makeFolder,
  moveFile,
  parentFolder,
  readChunks,
  readFile,
  removeFile,
  sha256,
  writeFileAtomic,
} from "#platform";
import { ArgumentError, FileError, FormatError } from "../base/errors.ts";
import { joinBytes } from "../base/join-bytes.ts";
import { optionalPackage } from "../base/optional.ts";
import { checkOptions } from "../base/options.ts";
import { cachedModel, hubCacheFolder, isCommit, modelFolder, requireModelId } from "./hub-cache.ts";

export interface PullOptions {
  /** A branch, tag or commit; default "main". */
  readonly revision?: string;
  /** The one file that is wanted, such as a GGUF file; default: configuration, tokenizer and safetensors. */
  readonly file?: string;
  /** For models that are not public; default: the variable HF_TOKEN. */
  readonly token?: string;
  /** Of the hub; default: the variable HF_ENDPOINT, or https://huggingface.co. */
  readonly hubUrl?: string;
  /** Default: where Hugging Face's tools have theirs (HF_HOME, HF_HUB_CACHE). */
  readonly cacheFolder?: string;
  /** Told as bytes arrive. */
  readonly onProgress?: (progress: PullProgress) => void;
}

export interface PullProgress {
  readonly file: string;
  /** Of this file, there already before included. */
  readonly bytes: number;
  readonly totalBytes: number;
}

export interface Pulled {
  /** The folder that `loadPretrained` opens. */
  readonly folder: string;
  readonly commit: string;
  readonly files: readonly string[];
  /** What had to be fetched; 0 when all was there. */
  readonly fetchedBytes: number;
}

/** A file on the hub. */
interface RemoteFile {
  readonly path: string;
  readonly size: number;
  /** Git's name of the content, or SHA-256 of a large file. */
  readonly hash: string;
  readonly isLarge: boolean;
}

/**
 * Fetches a model from the Hugging Face hub into the cache that its own tools use: the configuration, the tokenizer and the weights as
 * safetensors, nothing else. A file that broke off goes on where it ended; each is compared with its hash before it counts; what is there
 * already is not fetched again. `loadPretrained("owner/name")` opens it, without the network.
 *
 * @throws PlatformError without the package @huggingface/hub; FileError where the hub does not answer, or has no such model; FormatError for
 * a file that is not what the hub says it is
 * @example
 * const id = "HuggingFaceTB/SmolLM2-135M-Instruct";
 * const attempt = pull(id, { hubUrl: "http://127.0.0.1:9" }); // a hub that is not there
 * await attempt.catch((error) => error.name); // "FileError"
 */
export async function pull(id: string, options: PullOptions = {}): Promise<Pulled> {
  checkOptions("pull", options, ["revision", "file", "token", "hubUrl", "cacheFolder", "onProgress"]);
  requireModelId(id);
  const { revision = "main", cacheFolder = hubCacheFolder(), onProgress } = options;
  const token = options.token ?? env("HF_TOKEN");
  if (token && !token.startsWith("hf_"))
    throw new ArgumentError('pull: a token of the hub begins with "hf_"');
  const hubUrl = (options.hubUrl ?? env("HF_ENDPOINT") ?? "https://huggingface.co").replace(/\/+$/, "");
  const { commit, files } = await listing(id, { revision, token, hubUrl });
  const wanted = options.file === undefined ? neededOf(id, files) : [named(id, files, options.file)];
  const folder = modelFolder(cacheFolder, id);
  const snapshot = joinPath(joinPath(folder, "snapshots"), commit);
  const headers: Record<string, string> = token ? { authorization: `Bearer ${token}` } : {};
  let fetchedBytes = 0;
  for (const file of wanted) {
    const path = file.path.split("/").map(encodeURIComponent).join("/");
    const url = `${hubUrl}/${id}/resolve/${commit}/${path}`;
    const blob = joinPath(joinPath(folder, "blobs"), file.hash);
    fetchedBytes += await fetched(file, { url, blob, headers, onProgress });
    const link = joinPath(snapshot, file.path);
    await makeFolder(parentFolder(link));
    await linkFile(`${"../".repeat(file.path.split("/").length + 1)}blobs/${file.hash}`, link);
  }
  if (!isCommit(revision)) {
    const ref = joinPath(joinPath(folder, "refs"), revision);
    await makeFolder(parentFolder(ref));
    await writeFileAtomic(ref, new TextEncoder().encode(commit));
  }
  return { folder: snapshot, commit, files: wanted.map(({ path }) => path), fetchedBytes };
}

interface Place {
  readonly revision: string;
  readonly token: string | undefined;
  readonly hubUrl: string;
}

async function listing(
  id: string,
  { revision, token, hubUrl }: Place,
): Promise<{ commit: string; files: readonly RemoteFile[] }> {
  const hub = await optionalPackage("@huggingface/hub", "fetching models", () => import("@huggingface/hub"));
  const asked = { hubUrl, revision, ...(token && { accessToken: token }) };
  try {
    const { sha: commit } = await hub.modelInfo({ name: id, additionalFields: ["sha"], ...asked });
    if (!isCommit(commit))
      throw new FormatError(`pull: the hub says the commit of ${id} is ${JSON.stringify(commit)}`);
    const files: RemoteFile[] = [];
    for await (const { type, path, size, oid, lfs } of hub.listFiles({
      repo: { type: "model", name: id },
      recursive: true,
      ...asked,
      revision: commit,
    }))
      if (type === "file") files.push(remoteFile(path, lfs ?? { oid, size }, lfs !== undefined));
    return { commit, files };
  } catch (cause) {
    if (cause instanceof FormatError) throw cause;
    throw new FileError(`pull: ${whyOf(cause, id, revision, hubUrl)}${await whatIsThere(cause, id)}`, {
      cause,
    });
  }
}

function whyOf(cause: unknown, id: string, revision: string, hubUrl: string): string {
  const { statusCode, message } = cause as { statusCode?: number; message?: string };
  if (statusCode === 401 || statusCode === 403)
    return `the hub does not show ${id} to everybody: there is no such model, or it needs a token (HF_TOKEN) and its licence accepted`;
  if (statusCode === 404) return `the hub has no model ${id} with a revision "${revision}"; check the name`;
  if (statusCode !== undefined) return `the hub answered ${statusCode}: ${message}`;
  return `no answer from ${hubUrl} (${message}); check the network`;
}

/** Without a network a model that was fetched opens all the same. */
async function whatIsThere(cause: unknown, id: string): Promise<string> {
  if ((cause as { statusCode?: number }).statusCode !== undefined) return "";
  const cached = await cachedModel(id).catch(() => undefined);
  return cached === undefined ? "" : `; what was fetched before opens without it: "${cached}"`;
}

/** Names become paths in the cache: nothing leaves it. */
function remoteFile(
  path: string,
  { oid, size }: { oid?: string; size: number },
  isLarge: boolean,
): RemoteFile {
  const isSafe =
    path.split("/").every((part) => part !== "" && part !== "." && part !== "..") && !/[\\:\0]/.test(path);
  const isHash = typeof oid === "string" && /^[0-9a-f]+$/.test(oid) && oid.length === (isLarge ? 64 : 40);
  if (isSafe && isHash && Number.isSafeInteger(size) && size >= 0) return { path, size, hash: oid, isLarge };
  throw new FormatError(
    `pull: the hub lists a file ${JSON.stringify(path)} of ${size} bytes with the hash ${JSON.stringify(oid)}, which cannot be`,
  );
}

/** What `loadPretrained` reads; and what other tools look for beside it. */
const alwaysNeeded = new RegExp(
  `^(${[
    ...["config", "generation_config", "tokenizer", "tokenizer_config", "special_tokens_map", "added_tokens"],
    ...["vocab", "preprocessor_config", "modules", "sentence_bert_config", "config_sentence_transformers"],
    ...["1_Pooling/config", "model\\.safetensors\\.index"],
  ].join("|")})\\.json$|^(vocab|merges)\\.txt$|^(tokenizer|spiece)\\.model$|^chat_template\\.jinja$`,
);

function neededOf(id: string, files: readonly RemoteFile[]): readonly RemoteFile[] {
  const small = files.filter(({ path }) => alwaysNeeded.test(path));
  const whole = files.filter(({ path }) => path === "model.safetensors");
  const shards = files.filter(({ path }) => /^model-\d+-of-\d+\.safetensors$/.test(path));
  const weights = whole.length > 0 ? whole : shards;
  if (weights.length > 0) return [...small, ...weights];
  const others = files.filter(({ path }) => path.endsWith(".gguf")).map(({ path }) => path);
  throw new ArgumentError(
    others.length > 0
      ? `pull: ${id} has no safetensors, but GGUF files: ${others.slice(0, 8).join(", ")}; name one with --file`
      : `pull: ${id} has no safetensors, which are what is read; its files: ${files
          .map(({ path }) => path)
          .slice(0, 12)
          .join(", ")}`,
  );
}

function named(id: string, files: readonly RemoteFile[], path: string): RemoteFile {
  const found = files.find((file) => file.path === path);
  if (found !== undefined) return found;
  const others = files.filter((file) => file.path.endsWith(path.slice(path.lastIndexOf("."))));
  throw new ArgumentError(
    `pull: ${id} has no file "${path}"; it has ${
      others
        .map((file) => file.path)
        .slice(0, 8)
        .join(", ") || "none of that kind"
    }`,
  );
}

interface Transfer {
  readonly url: string;
  readonly blob: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly onProgress: PullOptions["onProgress"];
}

/** Written in pieces of this size. */
const pieceBytes = 4 * 2 ** 20;

/** Brings a file to its place in `blobs`; the bytes that had to be fetched. */
async function fetched(file: RemoteFile, { url, blob, headers, onProgress }: Transfer): Promise<number> {
  const report = (bytes: number): void => onProgress?.({ file: file.path, bytes, totalBytes: file.size });
  if ((await fileSize(blob)) === file.size) {
    report(file.size);
    return 0;
  }
  await makeFolder(parentFolder(blob));
  const partial = `${blob}.incomplete`;
  let have = (await fileSize(partial)) ?? 0;
  if (have > file.size) {
    await removeFile(partial);
    have = 0;
  }
  let fetchedBytes = 0;
  if (have < file.size || have === 0) {
    const range: Record<string, string> = have > 0 ? { range: `bytes=${have}-` } : {};
    const { status, chunks } = await downloadChunks(url, { headers: { ...headers, ...range } }).catch(
      (error) => {
        throw refusedOf(error, file) ?? error;
      },
    );
    if (have > 0 && status !== 206) {
      // A server that begins anew whatever is asked.
      await removeFile(partial);
      have = 0;
    }
    if (have === 0) await writeFileAtomic(partial, new Uint8Array(0));
    for await (const piece of pieces(chunks)) {
      have += piece.length;
      if (have > file.size) {
        await removeFile(partial);
        throw new FormatError(`pull: ${file.path} is longer than the ${file.size} bytes that the hub says`);
      }
      await appendFile(partial, piece);
      fetchedBytes += piece.length;
      report(have);
    }
  }
  if (have < file.size)
    throw new FileError(
      `pull: ${file.path} broke off after ${have} of ${file.size} bytes; run it again, it goes on from there`,
    );
  await requireHash(file, partial);
  await moveFile(partial, blob);
  return fetchedBytes;
}

/** Models whose licence must be accepted list their files to everybody. */
function refusedOf(error: unknown, { path }: RemoteFile): FileError | undefined {
  const status = ((error as Error).cause as { status?: number } | undefined)?.status;
  if (status !== 401 && status !== 403) return undefined;
  return new FileError(
    `pull: the hub lists ${path}, but answers ${status} for it: accept the model's licence on its page, and give a token (HF_TOKEN)`,
    { cause: error },
  );
}

/** Small chunks put together. */
async function* pieces(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let held: Uint8Array[] = [];
  let bytes = 0;
  const together = (): Uint8Array => {
    const piece = joinBytes(held);
    [held, bytes] = [[], 0];
    return piece;
  };
  try {
    for await (const chunk of chunks) {
      held.push(chunk);
      bytes += chunk.length;
      if (bytes >= pieceBytes) yield together();
    }
  } catch (error) {
    // What came before the connection broke is kept.
    if (bytes > 0) yield together();
    throw error;
  }
  if (bytes > 0) yield together();
}

async function requireHash(file: RemoteFile, path: string): Promise<void> {
  const hash = file.isLarge ? await sha256Of(path) : await gitBlobId(await readFile(path));
  if (hash === file.hash) return;
  await removeFile(path);
  throw new FormatError(
    `pull: ${file.path} is not what the hub says: its hash is ${hash}, not ${file.hash}; it was removed, fetch it again`,
  );
}

async function sha256Of(path: string): Promise<string> {
  const hash = sha256();
  for await (const chunk of readChunks(path, { chunkBytes: pieceBytes })) hash.update(chunk);
  return hash.hex();
}
