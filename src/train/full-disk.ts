/** Writes that fail for now. */
import type { FileError } from "../base/errors.ts";

/** Errors that end when somebody makes room; a missing folder stays missing. */
export const isFull = ({ cause }: FileError): boolean =>
  ["ENOSPC", "EDQUOT", "EFBIG", "EIO"].includes((cause as { code?: string } | undefined)?.code ?? "");
