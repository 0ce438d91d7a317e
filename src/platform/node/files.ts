/** Files in Node: whole, in ranges, and written whole or not at all. */
import {
  closeSync,
  constants,
  fstatSync,
  open as openCallback,
  read as readCallback,
  type Stats,
  unlinkSync,
} from "node:fs";
import {
  access,
  type FileHandle,
  mkdir,
  open,
  readdir,
  realpath,
  rename,
  stat,
  unlink,
} from "node:fs/promises";
import { basename, dirname, isAbsolute, join, resolve } from "node:path";
import { promisify } from "node:util";
import { FileError } from "../../base/errors.ts";
import { fileError } from "../file-errors.ts";
import type { FileContent, FileReader } from "../platform.ts";

/** One read or write call moves at most this much: below the 2 GiB that the operating systems allow. */
const transferBytes = 256 * 2 ** 20;
/** Readers of one file at once, each with at least this much: copying out of the page cache and faulting pages in is CPU work. */
const parallelReads = 4;
const parallelReadBytes = 4 * 2 ** 20;

export const joinPath = (folder: string, name: string): string => join(folder, name);

export async function makeFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true }).catch((cause) => {
    throw fileError("write", shown(path), cause);
  });
}

export async function fileSize(path: string): Promise<number | undefined> {
  const facts = await stat(path).catch(() => undefined);
  return facts?.isFile() ? facts.size : undefined;
}

const readOnly = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);

function checkRegular(path: string, facts: Stats): void {
  if (facts.isDirectory()) throw Object.assign(new Error(), { code: "EISDIR" });
  if (!facts.isFile()) throw new FileError(`cannot read ${shown(path)}: it is not a regular file`);
}

export async function openFile(path: string): Promise<FileReader> {
  let file: FileHandle | undefined;
  try {
    file = await open(path, readOnly);
    const facts = await file.stat();
    checkRegular(path, facts);
    const { read } = file;
    return reader(path, read.bind(file) as Read, facts.size, () => file!.close());
  } catch (cause) {
    await file?.close();
    throw fileError("read", shown(path), cause);
  }
}

/** One call: into which part of an array, from where in the file. */
type Read = (
  into: Uint8Array,
  offset: number,
  length: number,
  position: number,
) => Promise<{ readonly bytesRead: number }>;

const reader = (path: string, read: Read, sizeBytes: number, close: () => Promise<void>): FileReader => ({
  path,
  sizeBytes,
  readAt: (position, into) =>
    readFully(read, position, into, path).catch((cause) => {
      throw fileError("read", shown(path), cause);
    }),
  close,
});

/** Reads until `into` is full: one call may give less than was asked for. */
async function readFully(read: Read, position: number, into: Uint8Array, path: string): Promise<void> {
  for (let done = 0; done < into.length; ) {
    const length = Math.min(transferBytes, into.length - done);
    const { bytesRead } = await read(into, done, length, position + done);
    if (bytesRead === 0) {
      throw new FileError(
        `cannot read ${shown(path)}: it ends at byte ${position + done}, ${into.length - done} bytes before ` +
          "what was asked for; the file is cut short or was changed while being read",
      );
    }
    done += bytesRead;
  }
}

const openDescriptor = promisify(openCallback);
const readDescriptor = promisify(readCallback);

/**
 * As `openFile`, for a file that is read at once: what an open file says of itself and closing it take no thread of their own,
 * which costs more than reading a small file.
 */
async function openBriefly(path: string): Promise<FileReader> {
  let descriptor: number | undefined;
  try {
    descriptor = await openDescriptor(path, readOnly);
    const facts = fstatSync(descriptor);
    checkRegular(path, facts);
    const read: Read = readDescriptor.bind(undefined, descriptor);
    const close = async (): Promise<void> => closeSync(descriptor!);
    return reader(path, read, facts.size, close);
  } catch (cause) {
    if (descriptor !== undefined) closeSync(descriptor);
    throw fileError("read", shown(path), cause);
  }
}

export async function readFile(path: string): Promise<Uint8Array<ArrayBuffer>> {
  const file = await openBriefly(path);
  try {
    const bytes = allocate(file);
    const parts = Math.max(1, Math.min(parallelReads, Math.floor(bytes.length / parallelReadBytes)));
    const partBytes = Math.ceil(bytes.length / parts);
    const reads = Array.from({ length: parts }, (_, i) =>
      file.readAt(i * partBytes, bytes.subarray(i * partBytes, (i + 1) * partBytes)),
    );
    // Every read has ended before the file is closed, the failed ones too.
    const failed = (await Promise.allSettled(reads)).find((read) => read.status === "rejected");
    if (failed) throw failed.reason;
    return bytes;
  } finally {
    await file.close();
  }
}

function allocate({ path, sizeBytes }: FileReader): Uint8Array<ArrayBuffer> {
  try {
    return new Uint8Array(sizeBytes);
  } catch (cause) {
    const reason = `its ${sizeBytes} bytes do not fit into one array; read it in ranges`;
    throw new FileError(`cannot read ${shown(path)}: ${reason}`, { cause });
  }
}

export async function* readChunks(
  path: string,
  { chunkBytes = 2 ** 20 }: { chunkBytes?: number } = {},
): AsyncGenerator<Uint8Array> {
  const file = await openFile(path);
  try {
    for (let at = 0; at < file.sizeBytes; at += chunkBytes) {
      const chunk = new Uint8Array(Math.min(chunkBytes, file.sizeBytes - at));
      await file.readAt(at, chunk);
      yield chunk;
    }
  } finally {
    await file.close();
  }
}

export async function writeFileAtomic(path: string, content: FileContent): Promise<void> {
  let consequence = "; nothing was written";
  let temporary: string | undefined;
  try {
    const target = await writableTarget(path);
    if (target.mode !== undefined) consequence = "; the old file is unchanged";
    await removeLeftovers(target.path);
    temporary = temporaryName(target.path);
    removeAtExit(temporary);
    await writeNew(temporary, content, target.mode);
    await rename(temporary, target.path);
    unfinished.delete(temporary);
    temporary = undefined;
    consequence = "; the new file is there, but may not survive a power failure";
    await syncFolder(dirname(target.path));
  } catch (cause) {
    if (temporary !== undefined) {
      await unlink(temporary).catch(() => {});
      unfinished.delete(temporary);
    }
    if (cause instanceof ContentError) throw cause.cause;
    throw fileError("write", shown(path), cause, consequence);
  }
}

/** Where a path leads through symbolic links, and the permissions of the regular file there, if any. */
async function writableTarget(path: string): Promise<{ path: string; mode: number | undefined }> {
  const target = await realpath(path).catch(() => resolve(path));
  const facts = await stat(target).catch(() => undefined);
  if (facts?.isDirectory()) throw Object.assign(new Error(), { code: "EISDIR" });
  if (facts && !facts.isFile()) {
    throw new FileError(`cannot write ${shown(path)}: it is not a regular file; name another`);
  }
  // Replacing a write-protected file would work, because only its folder changes; it is protected all the same.
  if (facts) await access(target, constants.W_OK);
  return { path: target, mode: facts?.mode };
}

let temporaryCount = 0;

/** A name in the same folder (rename works only within a file system), hidden, short enough, and this process's own. */
function temporaryName(target: string): string {
  const unique = `${process.pid}-${Date.now().toString(36)}-${temporaryCount++}`;
  return join(dirname(target), `.${basename(target).slice(0, 50)}.${unique}.tmp`);
}

const looked = new Set<string>();
/** A file that was written to a moment ago may be another machine's, on a disk that both use. */
const leftoverMs = 60_000;

/** Processes that were killed while they wrote have left their temporary files: the next one that writes there clears up. */
async function removeLeftovers(target: string): Promise<void> {
  if (looked.has(target)) return;
  looked.add(target);
  const folder = dirname(target);
  for (const name of await readdir(folder).catch(() => [])) {
    const [, of, pid] = /^\.(.*)\.(\d+)-[0-9a-z]+-\d+\.tmp$/.exec(name) ?? [];
    if (of !== basename(target).slice(0, 50) || isRunning(Number(pid))) continue;
    const path = join(folder, name);
    const facts = await stat(path).catch(() => undefined);
    if (facts !== undefined && Date.now() - facts.mtimeMs > leftoverMs) removeQuietly(path);
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as { code?: string }).code === "EPERM";
  }
}

/** Temporary files being written; a process that exits in the middle takes them with it. */
const unfinished = new Set<string>();

function removeAtExit(temporary: string): void {
  if (temporaryCount === 1) process.once("exit", () => unfinished.forEach(removeQuietly));
  unfinished.add(temporary);
}

function removeQuietly(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // Already gone: what was wanted.
  }
}

async function writeNew(path: string, content: FileContent, mode: number | undefined): Promise<void> {
  const file = await open(path, "wx", mode);
  try {
    // The process's umask applies to open; an existing file's permissions are kept as they are.
    if (mode !== undefined) await file.chmod(mode & 0o7777);
    for await (const piece of pieces(content)) await writeFully(file, piece);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** An error of the caller's own content, to be rethrown as it came: the file system is not to blame. */
class ContentError extends Error {}

async function* pieces(content: FileContent): AsyncGenerator<Uint8Array> {
  try {
    yield* content instanceof Uint8Array ? [content] : content;
  } catch (cause) {
    throw new ContentError("content", { cause });
  }
}

async function writeFully(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, done, Math.min(transferBytes, bytes.length - done));
    done += bytesWritten;
  }
}

/** Makes the new name itself durable. Windows cannot open folders and some network file systems refuse: there the rename has to do. */
async function syncFolder(path: string): Promise<void> {
  const unsupported = ["EPERM", "EACCES", "EISDIR", "EINVAL", "ENOTSUP", "EBADF"];
  let folder: FileHandle | undefined;
  try {
    folder = await open(path, "r");
    await folder.sync();
  } catch (cause) {
    if (!unsupported.includes((cause as { code?: string }).code ?? "")) throw cause;
  } finally {
    await folder?.close();
  }
}

/** The path in a message: as given, and where a relative one points to. */
export function shown(path: string): string {
  return isAbsolute(path) ? `"${path}"` : `"${path}" (${resolve(path)})`;
}
