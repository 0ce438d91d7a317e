/** Modules of the user's own, by path: JavaScript, and TypeScript where something reads it. */
import { fileURLToPath } from "node:url";
import { FileError, PlatformError } from "../../base/errors.ts";
import { moduleUrl } from "./child.ts";

type Exports = Readonly<Record<string, unknown>>;

/** Node reads TypeScript by itself from 22.18 on; before, the package jiti does, where it is installed. */
export async function importModule(path: string): Promise<Exports> {
  const url = moduleUrl(path);
  try {
    return (await import(/* @vite-ignore */ url)) as Exports;
  } catch (cause) {
    const { code, message } = cause as { code?: string; message: string };
    if (code === "ERR_UNKNOWN_FILE_EXTENSION")
      return (await typescriptReader(path)).import(fileURLToPath(url));
    if (code === "ERR_MODULE_NOT_FOUND" || code === "ENOENT")
      throw new FileError(`cannot import "${path}": ${message}`, { cause });
    throw cause;
  }
}

async function typescriptReader(path: string): Promise<{ import(file: string): Promise<Exports> }> {
  try {
    return (await import("jiti")).createJiti(import.meta.url, { fsCache: false }) as never;
  } catch (cause) {
    throw new PlatformError(
      `cannot import "${path}": Node ${process.versions.node} reads no TypeScript by itself; use Node 22.18 or newer, npm install jiti, ` +
        "or write it in JavaScript",
      { cause },
    );
  }
}
