/** docs/errors.md names every class of errors, and no other. */
import { expect, test } from "vitest";
import * as errors from "../src/base/errors.ts";
import * as netwright from "../src/tensor/index.ts";
import { readText } from "./source.ts";

const classes = Object.entries(errors).filter(([, value]) => value.prototype instanceof Error);

test("every class stands in the table, and users can import it", () => {
  const rows = [...readText("docs/errors.md").matchAll(/^\| `(\w+)` \|/gm)].map(([, name]) => name);
  expect(rows.sort()).toEqual(classes.map(([name]) => name).sort());
  for (const [name, value] of classes) expect(netwright).toHaveProperty(name, value);
});
