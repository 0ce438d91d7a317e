import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { flags } from "./flags.ts";

test("the table has every variable that is read, and no other", () => {
  const source = join(import.meta.dirname, "..");
  const read = readdirSync(source, { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".ts") && !path.endsWith(".test.ts"))
    .flatMap((path) => [...readFileSync(join(source, path), "utf8").matchAll(/\benv\(\s*"(NETWRIGHT_\w+)"/g)])
    .map(([, name]) => name!);
  // Read by the tests alone, from outside the rooms.
  expect([...new Set([...read, "NETWRIGHT_TEST_TIER"])].sort()).toEqual(Object.keys(flags).sort());
});
