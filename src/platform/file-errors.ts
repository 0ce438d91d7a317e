/** The sentence a failed file operation ends in: what happened to which path, and what to do. */
import { FileError } from "../base/errors.ts";

interface Remedy {
  readonly what: string;
  readonly todo: string;
}

/** By the operating system's error code. */
const remedies: Readonly<Record<string, Remedy>> = {
  ENOENT: { what: "there is no such file or folder", todo: "check the path" },
  ENOTDIR: { what: "a part of the path is a file, not a folder", todo: "check the path" },
  EISDIR: { what: "it is a folder", todo: "name a file" },
  EACCES: { what: "permission denied", todo: "change its permissions or choose another path" },
  EPERM: { what: "the operation is not permitted", todo: "change its permissions or choose another path" },
  EROFS: { what: "the file system is read-only", todo: "choose another folder" },
  ENOSPC: { what: "the disk is full", todo: "free some space or choose another folder" },
  EDQUOT: { what: "the disk quota is used up", todo: "free some space or choose another folder" },
  EFBIG: { what: "the file is larger than allowed here", todo: "raise the limit or choose another folder" },
  EMFILE: { what: "too many files are open", todo: "close some or raise the limit (ulimit -n)" },
  ENFILE: { what: "too many files are open on this machine", todo: "close some" },
  ENAMETOOLONG: { what: "the name is too long", todo: "choose a shorter one" },
  ELOOP: { what: "its symbolic links go in a circle", todo: "check the links" },
  EIO: { what: "the device reported an error", todo: "check the disk" },
};

/** `where` is the path as shown to the user: `cannot write "/a/b": the disk is full; free some space or choose another folder`, with the original as cause. */
export function fileError(
  verb: "read" | "write",
  where: string,
  cause: unknown,
  consequence = "",
): FileError {
  if (cause instanceof FileError) return cause;
  const { code, message } = cause as { code?: string; message?: string };
  const remedy = remedies[code ?? ""];
  const reason = remedy ? `${remedy.what}; ${remedy.todo}` : (message ?? String(cause));
  return new FileError(`cannot ${verb} ${where}: ${reason}${consequence}`, { cause });
}
