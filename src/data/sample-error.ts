/** Which sample it was that could not be delivered. */
import { SampleError } from "../base/errors.ts";

/**
 * The error, with the sample's position and name in front of what it says, and with its own stack. One that names its sample
 * already is left alone.
 */
export function sampleError(cause: unknown, index: number, name?: string): SampleError {
  if (cause instanceof SampleError) return cause;
  const message = cause instanceof Error ? cause.message : String(cause);
  const named = name === undefined ? `sample ${index}` : `sample ${index} ("${name}")`;
  const error = new SampleError(`${named} cannot be delivered: ${message}`, index, { cause });
  const frames = (cause instanceof Error && cause.stack?.match(/^ +at .*$/gm)) || undefined;
  if (frames) error.stack = `${error.name}: ${error.message}\n${frames.join("\n")}`;
  return error;
}
