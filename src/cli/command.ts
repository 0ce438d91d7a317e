/** What a command of `netwright` is. */
import type { Flags, ParsedFlags } from "../platform/platform.ts";

export interface Command {
  /** One line of the list of commands. */
  readonly summary: string;
  /** How it is called: its flags and what they mean, one a line. */
  readonly usage: string;
  readonly flags: Flags;
  /** Gives the exit code. Errors that a user can act on are thrown as NetwrightErrors. */
  run(args: ParsedFlags): number | Promise<number>;
}
