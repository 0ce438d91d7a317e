/**
 * Plans the arena: each buffer gets an offset such that buffers alive at the same time do not overlap.
 *
 * Precondition: a draft whose arena buffers have no offset. Postcondition: offsets are multiples of 64, thread scratch has
 * room for every thread, and `arenaBytes` is the most that a run touches.
 */
import type { Placement, ProgramBuffer, ProgramStep } from "../ir/program.ts";
import type { ProgramDraft } from "./program-parts.ts";

const alignment = 64;
/** Loads of whole vectors may read past a buffer's last element, never past this. */
const padding = 64;

interface Interval {
  readonly buffer: ProgramBuffer;
  first: number;
  last: number;
}

export function planMemory(draft: ProgramDraft, threads: number): number {
  const intervals = findIntervals([...draft.compute, ...draft.commit, ...draft.undo]);
  const arena = intervals.filter(({ buffer }) => buffer.placement.kind === "arena");
  arena.sort((a, b) => b.buffer.bytes - a.buffer.bytes || a.first - b.first);
  // In the order of their places.
  const placed: { readonly interval: Interval; readonly start: number; readonly end: number }[] = [];
  let total = 0;
  for (const interval of arena) {
    const copies = interval.buffer.scope === "program" ? 1 : threads;
    const bytes = align(interval.buffer.bytes) * copies + padding;
    let start = 0;
    for (const rival of placed) {
      if (!overlaps(rival.interval, interval)) continue;
      if (start + bytes <= rival.start) break;
      start = Math.max(start, rival.end);
    }
    const after = placed.findIndex((other) => other.start > start);
    placed.splice(after < 0 ? placed.length : after, 0, { interval, start, end: start + bytes });
    interval.buffer.placement = { kind: "arena", offset: start } satisfies Placement;
    total = Math.max(total, start + bytes);
  }
  return total;
}

const align = (bytes: number): number => Math.ceil(bytes / alignment) * alignment;
const overlaps = (a: Interval, b: Interval): boolean => a.first <= b.last && b.first <= a.last;

/**
 * The first and last step that touches each buffer. A buffer that is used in a loop and lives outside it, or whose value
 * passes from one iteration to the next, lives for the whole loop; so does, for simplicity, every buffer of a loop.
 */
function findIntervals(steps: readonly ProgramStep[]): Interval[] {
  const intervals = new Map<ProgramBuffer, Interval>();
  let clock = 0;
  const touch = (buffer: ProgramBuffer, first: number, last: number): void => {
    const interval = intervals.get(buffer);
    if (interval === undefined) intervals.set(buffer, { buffer, first, last });
    else {
      interval.first = Math.min(interval.first, first);
      interval.last = Math.max(interval.last, last);
    }
  };
  const walk = (step: ProgramStep, at: number): void => {
    if (step.kind === "call") for (const buffer of step.buffers) touch(buffer, at, at);
    else {
      if (step.kind === "while") touch(step.condition, at, at);
      else if (step.range !== undefined) touch(step.range, at, at);
      for (const inner of step.body) walk(inner, at);
    }
  };
  for (const step of steps) walk(step, clock++);
  return [...intervals.values()];
}
