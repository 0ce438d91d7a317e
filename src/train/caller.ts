/** Errors of long calls name the user's line: when they arise, the stack reaches back only to the last `await`. */
import { NetwrightError } from "../base/errors.ts";
import { captureOrigin, userLine } from "../graph/origin.ts";

/** Runs `body`; an error of ours that names no line of the user's program gets the one on which `what` was called. */
export async function withCaller<Result>(what: string, body: () => Promise<Result>): Promise<Result> {
  const origin = captureOrigin();
  try {
    return await body();
  } catch (error) {
    if (error instanceof NetwrightError && !namesLine.test(error.message)) {
      const line = userLine(origin);
      if (line !== undefined) error.message += ` (${what} was called at ${line})`;
    }
    throw error;
  }
}

const namesLine = /\bat \S+:\d+:\d+/;
