import { expect, test } from "vitest";
import { checkOptions } from "./options.ts";

test("known options pass, others are refused with the nearest name", () => {
  const known = ["batchSize", "shuffle", "dropLast"];
  checkOptions("loader", { shuffle: true, dropLast: undefined }, known);
  expect(() => checkOptions("loader", { batchsize: 3 }, known)).toThrowErrorMatchingInlineSnapshot(
    `[ArgumentError: loader: there is no option "batchsize"; did you mean "batchSize"?]`,
  );
  expect(() => checkOptions("loader", { workers: 3 }, known)).toThrowErrorMatchingInlineSnapshot(
    `[ArgumentError: loader: there is no option "workers"; it takes batchSize, shuffle, dropLast]`,
  );
});
