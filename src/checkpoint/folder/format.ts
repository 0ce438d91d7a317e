/**
 * A model folder: everything that a prediction needs.
 *
 *     model.safetensors     the weights, under their names in `stateDict()`
 *     config.json           format, version, how the model is made, labels, what else is here; written last
 *     preprocessing.json    a fitted pipeline, a vocabulary or a tokenizer, if there is one
 *     metrics.json          scores, if there are any
 *     README.md             the model card
 *
 * Weights and configuration carry one key, so that a folder that was written over in part is noticed.
 */
import { joinPath, openFile, readFile, sha256, writeFileAtomic } from "#platform";
import { FormatError } from "../../base/errors.ts";
import type { LayerDescription } from "./architecture.ts";

export const files = {
  weights: "model.safetensors",
  config: "config.json",
  preprocessing: "preprocessing.json",
  metrics: "metrics.json",
  card: "README.md",
} as const;

export const formatName = "netwright model";
export const formatVersion = 1;
/** In the metadata of the weights. */
export const keyName = "model-folder";

export type PreprocessingKind = "pipeline" | "vocabulary" | "tokenizer";

export interface FolderConfig {
  readonly format: typeof formatName;
  readonly version: typeof formatVersion;
  readonly key: string;
  /** The name of the model's class, for people. */
  readonly model: string;
  readonly parameters: number;
  /** Null where the model is made by a function of the user's. */
  readonly architecture: LayerDescription | null;
  /** What the user's function needs: sizes, options. */
  readonly config: unknown;
  readonly labels: readonly string[] | null;
  readonly preprocessing: PreprocessingKind | null;
  /** SHA-256 of the other files of text. */
  readonly digests: Readonly<Record<string, string>>;
}

const maxTextBytes = 2 ** 28;

export const digestOf = (text: string): string => sha256().update(new TextEncoder().encode(text)).hex();

export const writeText = (folder: string, name: string, text: string): Promise<void> =>
  writeFileAtomic(joinPath(folder, name), new TextEncoder().encode(text));

export async function readText(folder: string, name: string): Promise<string> {
  const path = joinPath(folder, name);
  const file = await openFile(path);
  await file.close();
  if (file.sizeBytes > maxTextBytes)
    throw new FormatError(`"${path}" has ${file.sizeBytes} bytes; at most ${maxTextBytes} are read`);
  return new TextDecoder().decode(await readFile(path));
}

/** The text of a file that the configuration names, after its digest was compared. */
export async function readChecked(folder: string, name: string, { digests }: FolderConfig): Promise<string> {
  const text = await readText(folder, name);
  if (digestOf(text) === digests[name]) return text;
  throw new FormatError(
    `"${joinPath(folder, name)}" is not the file that was saved with ${files.config}: it was changed, or saving was cut off; save the model again`,
  );
}

/** @throws FormatError naming what is wrong */
export async function readConfig(folder: string): Promise<FolderConfig> {
  const path = joinPath(folder, files.config);
  const text = await readText(folder, files.config);
  let found: Partial<Record<keyof FolderConfig, unknown>>;
  try {
    found = (JSON.parse(text) ?? {}) as typeof found;
  } catch (cause) {
    throw new FormatError(`"${path}" is not JSON: ${(cause as Error).message}`, { cause });
  }
  const wrong = (what: string): FormatError =>
    new FormatError(`"${path}" is no configuration of a model: ${what}`);
  if (found.format !== formatName)
    throw wrong(`its format is ${JSON.stringify(found.format)}, not "${formatName}"`);
  if (found.version !== formatVersion)
    throw wrong(
      `its version is ${JSON.stringify(found.version)}; this release reads version ${formatVersion}`,
    );
  const { labels = null, preprocessing = null, digests, key } = found;
  const isTexts = Array.isArray(labels) && labels.every((label) => typeof label === "string");
  if (labels !== null && !isTexts) throw wrong("labels are no list of texts");
  if (![null, "pipeline", "vocabulary", "tokenizer"].includes(preprocessing as null))
    throw wrong(`preprocessing is ${JSON.stringify(preprocessing)}`);
  if (typeof key !== "string" || typeof digests !== "object" || digests === null)
    throw wrong("its key or digests are missing");
  const { architecture = null, config = null } = found;
  return {
    ...(found as unknown as FolderConfig),
    architecture,
    config,
    labels,
    preprocessing,
  } as FolderConfig;
}
