/** For tests: a command in this process, with what it wrote. */
import { vi } from "vitest";
import { main } from "../src/cli/main.ts";

export interface Answer {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export async function runProgram(...args: string[]): Promise<Answer> {
  const texts = { stdout: "", stderr: "" };
  for (const stream of ["stdout", "stderr"] as const)
    vi.spyOn(process[stream], "write").mockImplementation((text) => {
      texts[stream] += text;
      return true;
    });
  try {
    return { code: await main(args), ...texts };
  } finally {
    vi.restoreAllMocks();
  }
}
