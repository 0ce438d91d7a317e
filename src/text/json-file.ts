import { FormatError } from "../base/errors.ts";

/** What a file of JSON holds. @throws FormatError naming it */
export function jsonOfFile(name: string, bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    throw new FormatError(`${name} is no JSON: ${(error as Error).message}`);
  }
}
