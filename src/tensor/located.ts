/** Errors of a method's own checks name the module and the user's line, as those of nodes do. */
import { NetwrightError } from "../base/errors.ts";
import { captureOrigin, enterCall, leaveCall, originText } from "../graph/origin.ts";

/** Runs `body`; what it throws on purpose, and the nodes it builds, say where the user called. */
export function located<R>(body: () => R): R {
  const outer = enterCall();
  try {
    return body();
  } catch (error) {
    throw withPlace(error);
  } finally {
    leaveCall(outer);
  }
}

export function withPlace(error: unknown): unknown {
  if (!(error instanceof NetwrightError)) return error;
  const place = originText(captureOrigin());
  if (!error.message.endsWith(place)) error.message += place;
  return error;
}
