/** Where in the user's program a node was built: a stack kept unformatted until an error asks, and the module's path. */

export interface Origin {
  /** Holds the stack; formatting it is the costly part and happens only when read. */
  readonly trace: { stack?: string } | undefined;
  /** The path of the module whose forward was running: `hidden.0`, or "" outside. */
  readonly modulePath: string;
  /** Where the outermost module was called: for stacks that layers inside layers fill before they reach the user. */
  readonly caller?: Origin;
}

interface ModuleCall {
  readonly path: string;
  readonly caller: Origin;
  /** The `place` to go on with afterwards. */
  readonly outer: Place;
}

const calls: ModuleCall[] = [];

/**
 * Where the public function that is running was called, once its first node asked: its further nodes come from there too, and a
 * stack costs more than a node. Null before, undefined outside of such functions.
 */
type Place = Origin | null | undefined;
let place: Place;

/** A public function begins: nodes built until `leaveCall` have one origin. Returns what `leaveCall` must be given. */
export function enterCall(): Place {
  const outer = place;
  place = null;
  return outer;
}

export function leaveCall(outer: Place): void {
  place = outer;
}

/** From here until `leaveModule`, every node that is built belongs to the module at `path`. */
export function enterModule(path: string): void {
  const caller = calls[calls.length - 1]?.caller ?? captureOrigin();
  calls.push({ path, caller, outer: place });
  place = undefined;
}

export function leaveModule(): void {
  place = calls.pop()?.outer;
}

export const currentModulePath = (): string => calls[calls.length - 1]?.path ?? "";

const framesKept = 16;

const origins: Origin[] = [];

/** Runs `body` with every node it builds said to come from `origin`: a gradient from what it is the gradient of. */
export function withOrigin<R>(origin: Origin, body: () => R): R {
  origins.push(origin);
  try {
    return body();
  } finally {
    origins.pop();
  }
}

/** The place that is building a node now. */
export function captureOrigin(): Origin {
  const given = origins[origins.length - 1];
  if (given !== undefined) return given;
  if (place) return place;
  const before = Error.stackTraceLimit;
  Error.stackTraceLimit = framesKept;
  const trace: { stack?: string } = {};
  Error.captureStackTrace?.(trace, captureOrigin);
  Error.stackTraceLimit = before;
  const call = calls[calls.length - 1];
  const origin =
    call === undefined ? { trace, modulePath: "" } : { trace, modulePath: call.path, caller: call.caller };
  if (place === null) place = origin;
  return origin;
}

/** The first frame outside the library, as `file:line:column`; undefined when none is known. */
export function userLine(origin: Origin): string | undefined {
  return lineOf(origin) ?? (origin.caller && lineOf(origin.caller));
}

function lineOf(origin: Origin): string | undefined {
  const frames = (origin.trace?.stack ?? "").split("\n").slice(1);
  const frame = frames.find((line) => !isLibraryFrame(line));
  return frame?.match(/\(?([^()\s]+:\d+:\d+)\)?$/)?.[1]?.replace(/^file:\/\//, "");
}

/** The folder that holds every room, in source and in the built package. */
const libraryRoot = import.meta.url
  .replace(/(\/(?:src|dist)\/)(?!.*\/(?:src|dist)\/).*$/, "$1")
  .replace(/^file:\/\//, "");
const isTest = /\.test\.[cm]?[jt]sx?/;

const isLibraryFrame = (line: string): boolean =>
  (line.includes(libraryRoot) && !isTest.test(line)) ||
  line.includes("node:internal") ||
  line.includes("<anonymous>)");

/** ` (in layer "hidden.0", at app.ts:12:5)`, or less where less is known. */
export function originText(origin: Origin): string {
  const line = userLine(origin);
  const parts = [origin.modulePath && `in layer "${origin.modulePath}"`, line && `at ${line}`].filter(
    Boolean,
  );
  return parts.length === 0 ? "" : ` (${parts.join(", ")})`;
}
