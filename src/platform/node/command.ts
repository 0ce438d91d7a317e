/** What a command of the terminal needs: its arguments, flags, exit code. */
import { execFile } from "node:child_process";
import { parseArgs } from "node:util";
import { ArgumentError } from "../../base/errors.ts";
import type { Flags, ParsedFlags } from "../platform.ts";

export const programArguments = (): string[] => process.argv.slice(2);

export function parseFlags(args: readonly string[], flags: Flags): ParsedFlags {
  try {
    const { values, positionals } = parseArgs({ args: [...args], options: flags, allowPositionals: true });
    return { values: { ...values } as ParsedFlags["values"], positionals };
  } catch (cause) {
    const names = Object.keys(flags).map((name) => `--${name}`);
    const known = names.length === 0 ? "there are no flags here" : `flags are ${names.join(", ")}`;
    throw new ArgumentError(`${(cause as Error).message.split(". ")[0]}; ${known}`, { cause });
  }
}

export const programFile = (): string | undefined => process.argv[1];

/** As much as a difference of source texts may take; no longer than a slow disk needs. */
const limits = { maxBuffer: 64 * 2 ** 20, timeout: 20_000 };

export function commandOutput(
  command: string,
  args: readonly string[],
  folder: string,
): Promise<Uint8Array | undefined> {
  return new Promise((resolve) => {
    execFile(command, args, { cwd: folder, encoding: "buffer", ...limits }, (error, output) =>
      resolve(error ? undefined : output),
    );
  });
}

export function setExitCode(code: number): void {
  process.exitCode = code;
}
