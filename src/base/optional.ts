/** Packages that only some users need: loaded when they are used, with a message that says what to install. */
import { PlatformError } from "./errors.ts";

/**
 * A package that may not be installed.
 *
 * @param name of the package
 * @param purpose what needs it, as the beginning of a sentence: "reading tokenizer.json"
 * @param load the import itself, `() => import("…")`, so that bundlers see it
 * @throws PlatformError with the command that installs it
 */
export async function optionalPackage<T>(name: string, purpose: string, load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (error) {
    if (!isMissing(error, name)) throw error;
    throw new PlatformError(
      `${purpose} needs the package "${name}", which is not installed: npm install ${name}`,
    );
  }
}

/** Not found itself, rather than something that it needs. */
function isMissing(error: unknown, name: string): boolean {
  const { code, message } = error as { code?: string; message?: string };
  const isUnknown = code === "ERR_MODULE_NOT_FOUND" || code === "MODULE_NOT_FOUND";
  return isUnknown && [`'${name}'`, `"${name}"`].some((quoted) => message?.includes(quoted));
}
