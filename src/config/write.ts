/** Writing configs. */
import { writeFileAtomic } from "#platform";

/**
 * A config of names and numbers as a JSON file.
 *
 * @throws FileError when the file cannot be written
 * @example
 * await writeConfig("linear.json", {
 *   data: "mnist",
 *   model: { Linear: ["features", "classes"] },
 *   fit: { loss: "crossEntropy", optimizer: "sgd" },
 * });
 */
export const writeConfig = (path: string, config: Readonly<Record<string, unknown>>): Promise<void> =>
  writeFileAtomic(path, new TextEncoder().encode(`${JSON.stringify(config, null, 2)}\n`));
