/** Where a run happens: machine, versions, and the state of the code. */
import {
  absolutePath,
  commandOutput,
  packageVersion,
  parentFolder,
  programFile,
  readFile,
  sha256,
} from "#platform";
import { diagnose } from "../runtime/diagnosis.ts";
import { jsonOrUndefined } from "./json.ts";
import type { CodeVersion, Environment } from "./layout.ts";

export async function environmentFacts(): Promise<Environment> {
  const { machine, target, settings } = diagnose();
  const file = programFile();
  return {
    ...machine,
    target: target?.name ?? "none",
    arithmetic: target?.arithmetic ?? "none",
    threads: target?.threads ?? 0,
    packages: await packageVersions(),
    settings,
    code: await codeVersion(file === undefined ? "." : parentFolder(absolutePath(file))),
  };
}

/** Of Netwright, and of what the project in the working folder names. */
async function packageVersions(): Promise<Record<string, string>> {
  const bytes = await readFile("package.json").catch(() => undefined);
  const manifest = (bytes && jsonOrUndefined(new TextDecoder().decode(bytes))) as
    | { dependencies?: object; devDependencies?: object }
    | undefined;
  const named = [manifest?.dependencies, manifest?.devDependencies].flatMap((list) =>
    typeof list === "object" && list !== null ? Object.keys(list) : [],
  );
  const names = [...new Set(["netwright", "koffi", ...named])].sort();
  return Object.fromEntries(
    names.flatMap((name) => {
      const version = packageVersion(name);
      return version === undefined ? [] : [[name, version] as const];
    }),
  );
}

/** The commit of a folder's git checkout, and whether files differ from it; undefined where there is none. */
export async function codeVersion(folder: string): Promise<CodeVersion | undefined> {
  const git = (...args: string[]): Promise<Uint8Array | undefined> => commandOutput("git", args, folder);
  const commit = await git("rev-parse", "HEAD");
  if (commit === undefined) return undefined;
  const [branch, status, difference] = await Promise.all([
    git("rev-parse", "--abbrev-ref", "HEAD"),
    git("status", "--porcelain", "--untracked-files=normal"),
    git("diff", "--binary", "HEAD"),
  ]);
  const lines = text(status)
    .split("\n")
    .filter((line) => line !== "");
  return {
    commit: text(commit).trim(),
    branch: text(branch).trim(),
    changed: lines.slice(0, 200).map((line) => line.slice(3)),
    diffSha256: difference?.length ? sha256().update(difference).hex() : undefined,
  };
}

const text = (bytes: Uint8Array | undefined): string => new TextDecoder().decode(bytes);
