/**
 * What a checkpoint file holds: a safetensors file whose tensors are the model's states under their own names, so that every
 * reader of safetensors finds the weights where Hugging Face puts them.
 *
 * A training state adds the optimizer's states under `@optimizer/`, what layers draw their randomness from under `@random/`, arrays of
 * the code that trains under `@training/`, and facts in the header's metadata. The version rises when
 * a file of before could no longer be read as it was meant.
 */
import { FormatError } from "../base/errors.ts";

export const optimizerPrefix = "@optimizer/";
export const randomPrefix = "@random/";
/** Arrays of the code that trains. */
export const trainingPrefix = "@training/";
export const layoutVersion = 1;

/** Keys of the header's metadata that are Netwright's own; all others belong to the user. */
export const keys = {
  version: "netwright.version",
  arithmetic: "netwright.arithmetic",
  loader: "netwright.loader",
  progress: "netwright.progress",
  /** Names of states that the file does not hold, and the digests that they must have. */
  leftOut: "netwright.leftOut",
} as const;

export const isOwnKey = (key: string): boolean => key.startsWith("netwright.");

/** @throws FormatError for a file of a later version */
export function checkVersion(path: string, metadata: ReadonlyMap<string, string>): void {
  const version = Number(metadata.get(keys.version) ?? layoutVersion);
  if (version === layoutVersion) return;
  throw new FormatError(
    `"${path}" has layout version ${metadata.get(keys.version)}, this release reads version ${layoutVersion}; ` +
      "read it with the release that wrote it, or a later one",
  );
}

/** A value from the header's metadata that was written as JSON; undefined when it is not there. */
export function parseFact(path: string, metadata: ReadonlyMap<string, string>, key: string): unknown {
  const text = metadata.get(key);
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new FormatError(
      `"${path}": its metadata "${key}" is not valid JSON; the file was not written by save()`,
      {
        cause,
      },
    );
  }
}
