import { expect, test } from "vitest";
import { duplicateKey } from "./duplicate-key.ts";

test.each<[string, string | undefined]>([
  ["{}", undefined],
  ['"a"', undefined],
  ['["a", "a"]', undefined],
  ['{"a": "a", "b": "a"}', undefined],
  ['{"a": 1, "b": {"a": 2}, "c": [{"a": 3}, {"a": 4}]}', undefined],
  ['{"a": 1, "a": 2}', "a"],
  ['{"a": 1, "b": {"c": 2 , "c"\n : 3}}', "c"],
  ['[{"x": [1, {"y": 0, "y": 0}]}]', "y"],
  ['{"\\u0061": 1, "a": 2}', "a"],
  ['{"a\\"": 1, "a": "\\\\", "b": "{\\"b\\": 1"}', undefined],
  ['{"__proto__": 1, "__proto__": 2}', "__proto__"],
  ['{"": 1, "": 2}', ""],
])("%s", (json, expected) => {
  JSON.parse(json);
  expect(duplicateKey(json)).toBe(expected);
});
