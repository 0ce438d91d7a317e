import { expect, test } from "vitest";
import { atMost } from "./at-most.ts";

test("no more at a time than allowed, in the order of asking, and a failure takes no place away", async () => {
  const inTurn = atMost(3);
  const [begun, ended]: [number[], number[]] = [[], []];
  const runs = Array.from({ length: 20 }, (_, i) =>
    inTurn(async () => {
      begun.push(i);
      expect(begun.length - ended.length).toBeLessThanOrEqual(3);
      for (let turn = 0; turn <= i % 4; turn++) await null;
      ended.push(i);
      if (i % 5 === 0) throw new Error(`run ${i}`);
      return i;
    }),
  );
  expect(begun).toEqual([0, 1, 2]);
  const results = await Promise.allSettled(runs);
  expect(begun).toEqual(results.map((_, i) => i));
  for (const [i, result] of results.entries())
    expect(result).toMatchObject(i % 5 === 0 ? { reason: new Error(`run ${i}`) } : { value: i });
  expect(await inTurn(async () => "after")).toBe("after");
});
