import { expect, it } from "vitest";
import type { Kernel } from "../ir/kernel.ts";
import type { ProgramBuffer, ProgramStep } from "../ir/program.ts";
import { planMemory } from "./plan-memory.ts";
import type { ProgramDraft } from "./program-parts.ts";

const kernel: Kernel = { name: "k", buffers: [], parameters: [], body: [], cost: { flop: 0, bytes: 0 } };
const index = { name: "i" };

const buffer = (elements: number, scope: ProgramBuffer["scope"] = "program"): ProgramBuffer => ({
  ...{ name: "b", dtype: "f32", elements, bytes: 4 * elements, scope },
  placement: { kind: "arena", offset: -1 },
});
const call = (...buffers: ProgramBuffer[]): ProgramStep => ({ kind: "call", kernel, buffers });
const draftOf = (compute: ProgramStep[], commit: ProgramStep[] = []): ProgramDraft => ({
  ...{ buffers: [], inputs: [], arrays: [], states: [], results: [], undo: [], checks: [] },
  ...{ compute, commit },
});
const rangeOf = ({ placement, bytes }: ProgramBuffer): [number, number] => {
  if (placement.kind !== "arena") throw new Error("not in the arena");
  return [placement.offset, placement.offset + bytes];
};
const overlap = (a: ProgramBuffer, b: ProgramBuffer): boolean =>
  rangeOf(a)[0] < rangeOf(b)[1] && rangeOf(b)[0] < rangeOf(a)[1];

it("buffers that live at the same time do not overlap; a chain needs two", () => {
  const chain = Array.from({ length: 20 }, () => buffer(1000));
  const bytes = planMemory(draftOf(chain.slice(1).map((b, i) => call(chain[i]!, b))), 1);
  for (let i = 1; i < chain.length; i++) expect(overlap(chain[i - 1]!, chain[i]!)).toBe(false);
  expect(bytes).toBeLessThan(3 * 4200);
});

it("random programs: no two overlap while both are needed, offsets are aligned", () => {
  let state = 7;
  const random = (n: number): number => (state = (state * 48271) % 2147483647) % n;
  for (let round = 0; round < 200; round++) {
    const buffers = Array.from({ length: 2 + random(15) }, () => buffer(random(3000)));
    const calls = Array.from({ length: 1 + random(20) }, () =>
      call(...Array.from({ length: 1 + random(4) }, () => buffers[random(buffers.length)]!)),
    );
    const bytes = planMemory(draftOf(calls.slice(0, -1), calls.slice(-1)), 1);
    const uses = buffers.map((b) =>
      calls.flatMap((c, i) => (c.kind === "call" && c.buffers.includes(b) ? [i] : [])),
    );
    buffers.forEach((a, i) => {
      if (uses[i]!.length === 0) return;
      expect(rangeOf(a)[0] % 64).toBe(0);
      expect(rangeOf(a)[1]).toBeLessThanOrEqual(bytes);
      buffers.slice(i + 1).forEach((b, j) => {
        const other = uses[i + 1 + j]!;
        if (other.length === 0) return;
        const together =
          uses[i]![0]! <= other[other.length - 1]! && other[0]! <= uses[i]![uses[i]!.length - 1]!;
        if (together) expect(overlap(a, b)).toBe(false);
      });
    });
  }
});

it("what a loop touches lives for the whole loop", () => {
  const [carry, next, inside, after] = [buffer(100), buffer(100), buffer(100), buffer(100)];
  const loop: ProgramStep = {
    kind: "loop",
    index,
    extent: 5,
    body: [call(carry, inside), call(inside, next), call(next, carry)],
  };
  planMemory(draftOf([call(carry), loop, call(carry, after)]), 1);
  const live = [carry, next, inside];
  live.forEach((a, i) => {
    for (const b of live.slice(i + 1)) expect(overlap(a, b)).toBe(false);
  });
});

it("scratch has a copy for each thread", () => {
  const [scratch, other] = [buffer(100, "thread"), buffer(100)];
  planMemory(draftOf([call(scratch, other)]), 4);
  const [start] = rangeOf(scratch);
  const [from, to] = rangeOf(other);
  expect(to <= start || from >= start + 4 * 448).toBe(true);
});
