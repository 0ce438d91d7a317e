/** Folders, paths, and files that grow. */
import { copyFile, mkdir, open, readdir, rename, rm, symlink } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { fileError } from "../file-errors.ts";
import type { FolderEntry } from "../platform.ts";
import { shown } from "./files.ts";

export const absolutePath = (path: string): string => resolve(path);
export const parentFolder = (path: string): string => dirname(path);

export async function appendFile(path: string, bytes: Uint8Array): Promise<void> {
  try {
    const file = await open(path, "a");
    try {
      const { size } = await file.stat();
      await file.writeFile(bytes).catch(async (cause) => {
        await file.truncate(size).catch(() => {});
        throw cause;
      });
    } finally {
      await file.close();
    }
  } catch (cause) {
    throw fileError("write", shown(path), cause);
  }
}

export async function moveFile(from: string, to: string): Promise<void> {
  await rename(from, to).catch((cause) => {
    throw fileError("write", shown(to), cause);
  });
}

export async function linkFile(target: string, path: string): Promise<void> {
  try {
    await rm(path, { force: true });
    await symlink(target, path).catch(async (cause: { code?: string }) => {
      // Windows lets only some users make links.
      if (cause.code !== "EPERM") throw cause;
      await copyFile(resolve(dirname(path), target), path);
    });
  } catch (cause) {
    throw fileError("write", shown(path), cause);
  }
}

export async function removeFile(path: string): Promise<void> {
  await rm(path, { force: true }).catch((cause) => {
    throw fileError("write", shown(path), cause);
  });
}

export async function makeNewFolder(path: string): Promise<boolean> {
  try {
    await mkdir(dirname(resolve(path)), { recursive: true });
    await mkdir(path);
    return true;
  } catch (cause) {
    if ((cause as { code?: string }).code === "EEXIST") return false;
    throw fileError("write", shown(path), cause);
  }
}

export async function listFolder(path: string): Promise<FolderEntry[] | undefined> {
  try {
    const entries = await readdir(path, { withFileTypes: true });
    return entries
      .map((entry) => ({ name: entry.name, isFolder: entry.isDirectory() }))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  } catch (cause) {
    if (["ENOENT", "ENOTDIR"].includes((cause as { code?: string }).code ?? "")) return undefined;
    throw fileError("read", shown(path), cause);
  }
}
