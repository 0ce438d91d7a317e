/** `netwright new`: a folder with a config, a data set, a model and a test, all of which work. */
import {
  absolutePath,
  joinPath,
  listFolder,
  makeFolder,
  packageVersion,
  parentFolder,
  write,
  writeFileAtomic,
} from "#platform";
import { ArgumentError, FileError } from "../base/errors.ts";
import type { Command } from "./command.ts";
import { starterFiles } from "./starter.ts";

export const newProject: Command = {
  summary: "makes a folder with a config, a data set, a model and a test",
  usage: `netwright new FOLDER

  FOLDER  is made; one that holds anything is refused

  netwright new leaves && cd leaves && npm install && npm run train`,
  flags: {},
  async run({ positionals }) {
    const [folder, extra] = positionals;
    if (folder === undefined || extra !== undefined)
      throw new ArgumentError(`new takes one folder, got ${positionals.length}`);
    if (((await listFolder(folder)) ?? []).length > 0)
      throw new FileError(`"${folder}" is not empty; name a folder that is not there yet`);
    const path = absolutePath(folder);
    const files = starterFiles(packageName(path), packageVersion("netwright") ?? "0.1.0");
    for (const [name, text] of Object.entries(files)) {
      const target = joinPath(folder, name);
      await makeFolder(parentFolder(target));
      await writeFileAtomic(target, new TextEncoder().encode(text));
    }
    write(
      "stdout",
      `${Object.keys(files)
        .map((name) => joinPath(folder, name))
        .join("\n")}\n\nNext: cd ${folder} && npm install && npm run train\n`,
    );
    return 0;
  },
};

/** What npm allows of the folder's name. */
function packageName(path: string): string {
  const [last = ""] = /[^/\\]+$/.exec(path) ?? [];
  return (
    last
      .toLowerCase()
      .replace(/[^a-z0-9-]+/g, "-")
      .replace(/^-+|-+$/g, "") || "project"
  );
}
