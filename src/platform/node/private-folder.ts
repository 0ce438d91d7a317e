/** A folder of files that nobody but this user (and root) can have written: what is read from it may be run. */
import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  realpathSync,
  renameSync,
  type Stats,
  unlinkSync,
  utimesSync,
  writeSync,
} from "node:fs";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";
import type { PrivateFolder } from "../platform.ts";
import { shown } from "./files.ts";

const writableByOthers = 0o022;
const sticky = 0o1000;

export function privateFolder(
  path: string,
  { makes = true }: { readonly makes?: boolean } = {},
): PrivateFolder | { readonly reason: string } {
  const user = process.getuid?.();
  if (user === undefined) return { reason: "this system does not tell who owns a file" };
  try {
    if (makes) makeFolders(resolve(path));
    else if (!existsSync(path)) return { reason: `there is no folder ${shown(path)}` };
    const folder = realpathSync(path);
    const reason = whyNotPrivate(folder, user);
    return reason === undefined ? new OwnFolder(folder, user) : { reason };
  } catch (error) {
    return { reason: `${shown(path)} cannot be used: ${(error as Error).message}` };
  }
}

/** Node's own `recursive` never returns where a folder cannot be made in one that is there, as in /proc. */
function makeFolders(path: string): void {
  if (existsSync(path)) return;
  makeFolders(dirname(path));
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    // Another process was faster.
    if ((error as { code?: string }).code !== "EEXIST") throw error;
  }
}

/** Whoever may write to a folder above could put another one in its place. */
function whyNotPrivate(folder: string, user: number): string | undefined {
  const own = lstatSync(folder);
  if (!own.isDirectory()) return `${shown(folder)} cannot be used: it is no folder`;
  if (own.uid !== user) return `${shown(folder)} belongs to another user`;
  if ((own.mode & writableByOthers) !== 0) return `others may write to ${shown(folder)}: chmod go-w`;
  for (let above = dirname(folder); ; above = dirname(above)) {
    const { uid, mode } = lstatSync(above);
    if (uid !== user && uid !== 0) return `${shown(above)} above it belongs to another user`;
    // In a sticky folder, such as /tmp, others may not rename what is ours.
    if ((mode & writableByOthers) !== 0 && (mode & sticky) === 0)
      return `others may write to ${shown(above)} above it`;
    if (above === dirname(above)) return undefined;
  }
}

class OwnFolder implements PrivateFolder {
  readonly path: string;
  private readonly user: number;

  constructor(path: string, user: number) {
    this.path = path;
    this.user = user;
  }

  read(name: string, maxBytes: number): Uint8Array<ArrayBuffer> | undefined {
    const path = join(this.path, name);
    let file: number | undefined;
    try {
      file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
      const facts = fstatSync(file);
      if (!this.isOurs(facts) || facts.size > maxBytes) return undefined;
      const bytes = new Uint8Array(facts.size);
      for (let done = 0; done < bytes.length; ) {
        const count = readSync(file, bytes, done, bytes.length - done, done);
        if (count === 0) return undefined;
        done += count;
      }
      touch(path, facts);
      return bytes;
    } catch {
      return undefined;
    } finally {
      if (file !== undefined) closeSync(file);
    }
  }

  private isOurs(facts: Stats): boolean {
    return facts.isFile() && facts.uid === this.user && (facts.mode & writableByOthers) === 0;
  }

  write(name: string, bytes: Uint8Array): boolean {
    const temporary = join(this.path, `.${name}.${process.pid}.${writes++}.tmp`);
    const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
    try {
      const file = openSync(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
      try {
        for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done);
      } finally {
        closeSync(file);
      }
      renameSync(temporary, join(this.path, name));
      return true;
    } catch {
      removed(temporary);
      return false;
    }
  }

  trim(maxBytes: number): void {
    const files = this.files().sort((a, b) => b.usedMs - a.usedMs);
    let total = 0;
    for (const { path, bytes } of files) {
      total += bytes;
      if (total > maxBytes) removed(path);
    }
  }

  usage(): { readonly files: number; readonly bytes: number } {
    const files = this.files();
    return { files: files.length, bytes: files.reduce((sum, { bytes }) => sum + bytes, 0) };
  }

  /** Files of writes that were cut off among them: they are old soon, and then go first. */
  private files(): { readonly path: string; readonly bytes: number; readonly usedMs: number }[] {
    try {
      return readdirSync(this.path).flatMap((name) => {
        const path = join(this.path, name);
        const facts = lstatSync(path, { throwIfNoEntry: false });
        return facts?.isFile() ? [{ path, bytes: facts.size, usedMs: facts.mtimeMs }] : [];
      });
    } catch {
      return [];
    }
  }
}

let writes = 0;

/** The time of its last use is a file's time of modification; an hour more or less does not matter. */
function touch(path: string, { mtimeMs }: Stats): void {
  const now = Date.now();
  if (now - mtimeMs > 3_600_000) utimesSync(path, now / 1000, now / 1000);
}

function removed(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // Another process removed it first, or nobody may.
  }
}

export const userHome = (): string => homedir();
export const userCacheFolder = (): string =>
  join(process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "netwright");
