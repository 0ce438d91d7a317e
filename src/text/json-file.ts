import { readFile } from "#platform";
import { FormatError } from "../base/errors.ts";

/** What a file of JSON holds. @throws FileError; FormatError naming it */
export async function readJson(path: string): Promise<unknown> {
  const bytes = await readFile(path);
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    throw new FormatError(`"${path}" is no JSON: ${(error as Error).message}`);
  }
}
